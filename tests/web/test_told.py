"""What sites tell without asking Python each time: events, snapshots and answers that are kept."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy import owners, web

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from tests.web.conftest import Run


async def next_event(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the fields of the next event, without comments."""
    while True:
        text = (await response.content.readuntil(b"\n\n")).decode().strip()
        fields: dict[str, str] = {}
        for line in text.split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if "data" in fields:
            return fields


def test_events_are_followed_and_those_missed_are_told_to_who_comes_back(run: Run) -> None:
    site = web.site("news")
    events = site.events("/events")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/news/events") as response:
            assert response.headers["content-type"] == "text/event-stream"
            assert await response.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
            events.publish("saved", {"name": "cup"})
            first = await next_event(response)
            assert first["event"] == "saved"
            assert json.loads(first["data"]) == {"name": "cup"}
        events.publish("missed", 1)
        events.publish("missed", 2)
        async with client.get("/a/news/events", headers={"Last-Event-ID": first["id"]}) as response:
            assert [json.loads((await next_event(response))["data"]) for _ in range(2)] == [1, 2]

    run(main)


def test_events_end_when_their_site_is_taken_down(run: Run) -> None:
    with aiobpy.owner("news"):
        site = web.site("news")
    events = site.events("/events")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/news/events") as response:
            await response.content.readuntil(b"\n\n")
            owners.of("news").let_go()
            assert await response.read() == b""
        owners.of("news").enabled()
        async with client.get("/a/news/events") as response:
            await response.content.readuntil(b"\n\n")
            events.publish("again")
            assert (await next_event(response))["event"] == "again"

    run(main)


@pytest.mark.parametrize("name", ["", "two\nlines", "x" * 300])
def test_an_event_needs_a_name(name: str) -> None:
    events = web.site("news").events("/events")
    with pytest.raises(ValueError, match="is no name of an event"):
        events.publish(name)
    with pytest.raises(ValueError, match="publish where to find it instead"):
        events.publish("large", "x" * (65 << 10))


def test_a_snapshot_is_served_with_a_tag_and_followed(run: Run) -> None:
    site = web.site("view")
    site.publish("/frame", b"\xff one", "image/jpeg")
    web.publish("/a/view/state", b'{"frame": 1}', "application/json")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/view/frame") as response:
            assert response.headers["content-type"] == "image/jpeg"
            assert await response.read() == b"\xff one"
            tag = response.headers["etag"]
        async with client.get("/a/view/frame", headers={"if-none-match": tag}) as response:
            assert response.status == 304
        async with (
            client.ws_connect("/a/view/frame") as frames,
            client.ws_connect("/a/view/state") as states,
            client.get("/a/view/frame", headers={"accept": "text/event-stream"}) as events,
        ):
            assert await frames.receive_bytes() == b"\xff one"
            assert await states.receive_json() == {"frame": 1}
            assert (await next_event(events))["data"] == "/yBvbmU="
            web.publish("/a/view/frame", b"two", "image/jpeg")
            web.publish("/a/view/state", b'{"frame": 2}', "application/json")
            assert await frames.receive_bytes() == b"two"
            assert await states.receive_json() == {"frame": 2}
            assert (await next_event(events))["data"] == "dHdv"
            site.close()
            for socket in (frames, states):
                assert (await socket.receive()).data == 1001
            assert await events.content.read() == b""
        async with client.get("/a/view/frame") as response:
            assert response.status == 404

    run(main)


def test_a_snapshot_is_published_below_a_site_of_ones_own() -> None:
    with aiobpy.owner("view"):
        web.site("view")
    for path in ["/a/view/frame", "/a/views/frame", "/a/view", "/api/v1/status", "frame"]:
        with pytest.raises(ValueError, match=r"is not below a site|is below the site of view"):
            web.publish(path, b"")


def test_panels_are_listed_and_their_modules_served(run: Run, tmp_path: Path) -> None:
    (tmp_path / "panel.js").write_text("customElements.define('cup-panel', class {});")
    site = web.site("cups")
    site.panel("cup-panel", tmp_path / "panel.js", title="Cups")
    with pytest.raises(ValueError, match="no name of a custom element"):
        site.panel("<script>", tmp_path / "panel.js", title="")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/api/v1/panels") as response:
            [panel] = await response.json()
        assert panel == {
            "element": "cup-panel",
            "title": "Cups",
            "site": "cups",
            "prefix": "/a/cups",
            "module": "/a/cups/panels/cup-panel.js",
            "scope": "read",
        }
        async with client.get(panel["module"]) as response:
            assert response.content_type == "text/javascript"
            assert await response.text() == (tmp_path / "panel.js").read_text()

    run(main)


def test_an_answer_is_given_again_for_a_while_and_asked_for_once(run: Run) -> None:
    site = web.site("kept")
    asked: list[str] = []
    waiting, go_on = asyncio.Event(), asyncio.Event()

    @site.get("/slow/{name}", cache=60)
    async def slow(name: str, limit: int = 0) -> dict[str, int]:
        asked.append(name)
        waiting.set()
        await go_on.wait()
        return {"limit": limit}

    async def main(client: aiohttp.ClientSession) -> None:
        async def get(path: str) -> str:
            async with client.get(f"/a/kept/slow/{path}") as response:
                assert response.status == 200
                assert response.headers["age"] == "0"
                assert response.headers["cache-control"] == "private, max-age=60"
                assert await response.json() == {"limit": int(path[-1])}
                return response.headers["etag"]

        requests = [asyncio.create_task(get("x?limit=1")) for _ in range(5)]
        await waiting.wait()
        go_on.set()
        tags = await asyncio.gather(*requests)
        assert len(set(tags)) == 1
        assert await get("x?limit=1") == tags[0]
        assert asked == ["x"]
        assert await get("x?limit=2") != tags[0]
        headers = {"if-none-match": tags[0]}
        async with client.get("/a/kept/slow/x?limit=1", headers=headers) as response:
            assert response.status == 304
        async with client.head("/a/kept/slow/x?limit=1") as response:
            assert response.headers["content-length"] == str(len('{"limit":1}'))
        assert asked == ["x", "x"]

    run(main)


def test_failures_and_cookies_are_not_given_again(run: Run) -> None:
    site = web.site("kept")
    answers = [
        web.Response("no", status=404),
        web.Response("cookie", headers={"set-cookie": "a=b"}),
        web.Response("secret", headers={"cache-control": "no-store"}),
        web.Response("first"),
        web.Response("second"),
    ]

    @site.get("/", cache=60)
    def answer() -> web.Response:
        return answers.pop(0)

    async def main(client: aiohttp.ClientSession) -> None:
        texts = []
        for _ in range(6):
            async with client.get("/a/kept") as response:
                texts.append(await response.text())
        assert texts == ["no", "cookie", "secret", "first", "first", "first"]

    run(main)


def test_a_client_that_goes_does_not_keep_others_from_the_answer(run: Run) -> None:
    site = web.site("kept")
    waiting, go_on = asyncio.Event(), asyncio.Event()

    @site.get("/", cache=60)
    async def answer() -> str:
        waiting.set()
        await go_on.wait()
        return "answer"

    async def main(client: aiohttp.ClientSession) -> None:
        first = asyncio.create_task(client.get("/a/kept"))
        await waiting.wait()
        waiting.clear()
        second = asyncio.create_task(client.get("/a/kept"))
        first.cancel()
        await waiting.wait()
        go_on.set()
        async with await second as response:
            assert await response.text() == "answer"

    run(main)


def test_an_answer_that_depends_on_the_request_is_not_kept() -> None:
    site = web.site("kept")
    with pytest.raises(TypeError, match="depends on the request"):

        @site.get("/", cache=1)
        def answer(request: web.Request) -> None: ...

    site.close()
