"""A page of another origin is in the user's browser: what can it do to a server of ours?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiobpy
from aiobpy.rpc import remove
from tests.browser.conftest import EVIL
from tests.browser.scripts import ELEMENT, EVENT_OF, FETCH

if TYPE_CHECKING:
    from tests.browser.conftest import Play, Scene


def test_a_foreign_page_reads_nothing_and_calls_nothing(play: Play) -> None:
    called: list[Any] = []

    @aiobpy.rpc(name="browsed.call")
    def call() -> str:
        called.append(1)
        return "secret"

    async def main(scene: Scene) -> None:
        await scene.page.goto(scene.foreign)
        call_address = f"{scene.server.address}/api/v1/rpc/browsed.call"
        token = {"Authorization": f"Bearer {scene.server.token}"}
        for address, options in [
            (f"{scene.server.address}/healthz", {}),
            (f"{scene.server.address}/api/v1/status", {"headers": token}),
            (call_address, {"method": "POST", "body": "{}"}),
            (call_address, {"method": "POST", "body": "{}", "mode": "no-cors"}),
            (call_address, {"method": "POST", "body": "{}", "credentials": "include"}),
            (
                call_address,
                {
                    "method": "POST",
                    "body": "{}",
                    "headers": token | {"Content-Type": "application/json"},
                },
            ),
        ]:
            kind, _status, text = await scene.page.evaluate(FETCH, [address, options])
            assert kind in {"failed", "opaque"}, (address, options)
            assert "secret" not in text
        assert called == []

    try:
        play(main)
    finally:
        remove(call)


def test_a_foreign_page_opens_no_websocket_and_follows_no_events(play: Play) -> None:
    async def main(scene: Scene) -> None:
        await scene.page.goto(scene.foreign)
        sockets = scene.server.address.replace("http", "ws")
        for kind, address in [
            ("WebSocket", f"{sockets}/ws"),
            ("WebSocket", f"{sockets}/api/v1/echo"),
            ("EventSource", f"{scene.server.address}/api/v1/events"),
        ]:
            assert await scene.page.evaluate(EVENT_OF, [kind, address]) == "failed", address

    play(main)


def test_a_foreign_page_includes_nothing_as_a_script_or_an_image(play: Play) -> None:
    async def main(scene: Scene) -> None:
        await scene.page.goto(scene.foreign)
        for name in ["script", "img"]:
            address = f"{scene.server.address}/healthz"
            assert await scene.page.evaluate(ELEMENT, [name, "src", address]) == "failed"

    play(main)


def test_a_name_that_was_rebound_to_loopback_is_another_host(play: Play) -> None:
    async def main(scene: Scene) -> None:
        address = f"http://{EVIL}:{scene.server.port}"
        answer = await scene.page.goto(f"{address}/healthz")
        assert answer is not None
        assert answer.status == 421
        # The page is of that origin now, as a rebinding attack wants it.
        token = {"headers": {"Authorization": f"Bearer {scene.server.token}"}}
        found = await scene.page.evaluate(FETCH, [f"{address}/api/v1/status", token])
        assert found[0] == "failed" or found[1] == 421

    play(main)


def test_a_page_of_ours_shows_in_no_frame(play: Play) -> None:
    async def main(scene: Scene) -> None:
        await scene.page.goto(scene.foreign)
        for path in ["/healthz", "/docs", "/pair"]:
            await scene.page.evaluate(ELEMENT, ["iframe", "src", f"{scene.server.address}{path}"])
            frame = scene.page.frames[-1]
            assert not frame.url.startswith(scene.server.address), path

    play(main)
