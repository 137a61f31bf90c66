"""3. A page of another site opens a WebSocket: browsers let it, and send cookies along.

Mirrors CVE-2025-24010 (Vite), CVE-2025-30360 (webpack-dev-server) and CVE-2026-40110
(jupyter-server: a pattern for origins without an end).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target

_FOREIGN = [
    "http://evil.example",
    "null",
    "",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1.evil.example:{port}",
    "http://127.0.0.1:{other}",
    "https://127.0.0.1:{port}",
    "http://localhost",
    "file://",
]


@pytest.mark.parametrize("path", ["/ws", "/api/v1/echo", "/a/attacked/"])
@pytest.mark.parametrize("origin", _FOREIGN)
def test_a_page_of_another_origin_opens_no_websocket(
    attack: Attack, path: str, origin: str
) -> None:
    async def main(target: Target) -> None:
        named = origin.format(port=target.port, other=target.port + 1)
        answer = await target.upgrade(path, headers={"Origin": named})
        assert answer.status == 403
        assert target.called == []

    attack(main)


def test_our_own_pages_do(attack: Attack) -> None:
    async def main(target: Target) -> None:
        for origin in [f"http://127.0.0.1:{target.port}", f"http://localhost:{target.port}"]:
            answer = await target.upgrade("/api/v1/echo", headers={"Origin": origin})
            assert answer.status == 101

    attack(main)
