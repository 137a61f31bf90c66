"""6. A page of another site sends what browsers let any page send, with the user's cookies.

Mirrors CVE-2026-40864 (JupyterHub took `Sec-Fetch-Mode: no-cors` for its own) and CVE-2026-40934
(sessions that outlived their secret).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target

_CALL = "/api/v1/rpc/attacked.call"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "",
    ],
)
def test_what_a_form_can_send_calls_no_method(attack: Attack, kind: str) -> None:
    async def main(target: Target) -> None:
        for path in [_CALL, "/rpc", "/mcp"]:
            answer = await target.ask(
                path, method="POST", headers={"Content-Type": kind}, body=b'{"text": "x"}'
            )
            assert answer.status == 415
        assert target.called == []

    attack(main)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense", ""])
@pytest.mark.parametrize("mode", ["no-cors", "cors", "navigate"])
def test_what_another_site_sends_is_refused(attack: Attack, site: str, mode: str) -> None:
    async def main(target: Target) -> None:
        headers = {
            "Sec-Fetch-Site": site,
            "Sec-Fetch-Mode": mode,
            "Content-Type": "application/json",
        }
        for method, path in [("POST", _CALL), ("GET", "/api/v1/status"), ("GET", "/a/attacked/")]:
            answer = await target.ask(path, method=method, headers=headers, body=b"{}")
            assert answer.status == 403
        assert target.called == []

    attack(main)


def test_no_other_origin_is_let_in_by_cors(attack: Attack) -> None:
    async def main(target: Target) -> None:
        headers = {
            "Origin": "http://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, authorization",
        }
        answer = await target.ask(_CALL, method="OPTIONS", token=False, headers=headers)
        assert answer.status == 403
        assert not any(name.startswith("access-control-") for name in answer.headers)

    attack(main)
