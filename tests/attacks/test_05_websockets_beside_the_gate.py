"""5. A WebSocket that does not go through what guards HTTP.

Mirrors CVE-2024-28179 (jupyter-server-proxy: proxied WebSockets were not authenticated).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


@pytest.mark.parametrize("path", ["/ws", "/api/v1/echo", "/a/attacked/", "/a/attacked/deep/down"])
def test_a_websocket_needs_the_token(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        assert (await target.upgrade(path, token=False)).status == 401
        assert target.called == []

    attack(main)


@pytest.mark.parametrize("path", ["/api/v1/events", "/a/attacked/"])
def test_a_stream_of_events_needs_the_token(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        headers = {"Accept": "text/event-stream"}
        assert (await target.ask(path, token=False, headers=headers)).status == 401

    attack(main)
