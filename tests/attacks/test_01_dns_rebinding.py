"""1. DNS rebinding: a page's own host name resolves to loopback, so that the page may read answers.

Mirrors CVE-2024-28224 (Ollama), CVE-2025-66414, CVE-2025-66416, CVE-2026-34742 and CVE-2026-42559
(MCP SDKs): servers that answered whatever Host a browser sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/events"),
        ("GET", "/openapi.json"),
        ("POST", "/rpc"),
        ("POST", "/mcp"),
        ("POST", "/api/v1/rpc/attacked.call"),
        ("GET", "/a/attacked/"),
    ],
)
def test_a_foreign_host_gets_no_answer_even_with_the_token(
    attack: Attack, method: str, path: str
) -> None:
    async def main(target: Target) -> None:
        for host in ["evil.example", f"evil.example:{target.port}"]:
            answer = await target.ask(path, method=method, host=host)
            assert answer.status == 421
            assert answer.kind == "foreign-host"
        assert target.called == []

    attack(main)


@pytest.mark.parametrize("path", ["/ws", "/a/attacked/"])
def test_a_foreign_host_gets_no_websocket(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        answer = await target.upgrade(path, host=f"evil.example:{target.port}")
        assert answer.status == 421
        assert target.called == []

    attack(main)
