"""10. A secret that ends up where others read it: logs, addresses, `Referer`; and open redirects.

Mirrors CVE-2022-24758 (jupyter-server logged tokens) and CVE-2023-39968 (its redirect after login).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


def test_a_token_in_an_address_is_no_token(attack: Attack) -> None:
    async def main(target: Target) -> None:
        for query in ["token", "access_token", "key"]:
            path = f"/api/v1/status?{query}={target.token}"
            answer = await target.ask(path, token=False)
            assert answer.status == 401
            assert target.token.encode() not in answer.body

    attack(main)


def test_no_answer_repeats_the_token_or_lets_a_browser_tell_where_it_was(attack: Attack) -> None:
    async def main(target: Target) -> None:
        for path in ["/api/v1/status", "/a/attacked/", "/nothing/there"]:
            answer = await target.ask(path)
            assert target.token.encode() not in answer.body
            assert target.token not in str(answer.headers)
            assert answer.headers["referrer-policy"] == "no-referrer"

    attack(main)


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "/%2f%2fevil.example", "/a//evil.example"]
)
def test_nobody_is_sent_elsewhere(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        answer = await target.ask(path)
        assert answer.status not in range(300, 400)
        assert "location" not in answer.headers

    attack(main)
