"""4. A server on loopback that runs what anybody sends.

Mirrors CVE-2025-49596 (MCP Inspector) and the add-ons for Blender that run Python from a plain
socket, which any web page reaches with a POST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/rpc/attacked.call"),
        ("POST", "/rpc"),
        ("POST", "/mcp"),
        ("POST", "/api/v1/exec"),
        ("GET", "/a/attacked/"),
        ("POST", "/a/attacked/"),
        ("GET", "/api/v1/status"),
        ("GET", "/nothing/there"),
    ],
)
def test_nothing_is_done_without_the_token(attack: Attack, method: str, path: str) -> None:
    async def main(target: Target) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await target.ask(path, method=method, token=False, headers=headers, body=b"{}")
        assert answer.status == 401
        wrong = {"Authorization": f"Bearer {target.token[:-1]}"}
        answer = await target.ask(
            path, method=method, token=False, headers=headers | wrong, body=b"{}"
        )
        assert answer.status == 401
        assert target.called == []

    attack(main)


@pytest.mark.parametrize(
    "garbage",
    [
        b'{"type": "execute", "code": "print(1)", "strict_json": true}\0',
        b'{"method": "attacked.call", "params": {}}\n',
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
        b"GET\0/ HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n\r\nx",
        bytes(1000),
    ],
)
def test_what_is_not_http_is_not_understood(attack: Attack, garbage: bytes) -> None:
    async def main(target: Target) -> None:
        answer = await target.raw(garbage)
        assert not answer.startswith(b"HTTP/1.1 2")
        assert target.called == []
        assert (await target.ask()).status == 200

    attack(main)
