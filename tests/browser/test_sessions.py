"""A browser in which the user has logged in: a page of another origin has no part in that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiobpy
from aiobpy.rpc import remove
from tests.browser.scripts import EVENT_OF, FETCH

if TYPE_CHECKING:
    from tests.browser.conftest import Play, Scene

_LOG_IN = """async token => {
    const response = await fetch("/login", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({token}),
    });
    return response.status;
}"""


def test_a_session_is_of_use_to_our_own_pages_alone(play: Play) -> None:
    called: list[int] = []

    @aiobpy.rpc(name="browsed.call")
    def call() -> str:
        called.append(1)
        return "secret"

    async def main(scene: Scene) -> None:
        address = scene.server.address
        await scene.page.goto(f"{address}/docs")
        assert await scene.page.evaluate(_LOG_IN, scene.server.token) in {200, 204}
        ours: dict[str, Any] = {
            "method": "POST",
            "body": "{}",
            "headers": {"Content-Type": "application/json"},
        }
        call_path = "/api/v1/rpc/browsed.call"
        _, status, text = await scene.page.evaluate(FETCH, [call_path, ours])
        assert (status, text) == (200, '"secret"')
        assert called == [1]
        assert await scene.page.evaluate("document.cookie") == ""

        await scene.page.goto(scene.foreign)
        for options in [
            {"credentials": "include"},
            {"credentials": "include", "mode": "no-cors"},
            ours | {"credentials": "include"},
            {"method": "POST", "body": "{}", "credentials": "include", "mode": "no-cors"},
        ]:
            for path in [call_path, "/api/v1/status"]:
                found = await scene.page.evaluate(FETCH, [f"{address}{path}", options])
                assert found[0] in {"failed", "opaque"}, (path, options)
                assert "secret" not in found[2]
        for kind, path in [("WebSocket", "/ws"), ("EventSource", "/api/v1/events")]:
            place = address.replace("http", "ws") if kind == "WebSocket" else address
            assert await scene.page.evaluate(EVENT_OF, [kind, f"{place}{path}"]) == "failed"
        assert called == [1]

    try:
        play(main)
    finally:
        remove(call)
