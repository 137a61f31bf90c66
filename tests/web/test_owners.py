"""A site is its add-on's: it goes with it, and comes back with it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy import owners, web
from aiobpy.web import serving

if TYPE_CHECKING:
    import aiohttp

    from tests.web.conftest import Run


def test_a_disabled_add_on_takes_its_site_down_and_another_stays(run: Run) -> None:
    waiting, life = asyncio.Event(), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            life.append((await receive())["type"])
            await send({"type": "lifespan.startup.complete"})
            life.append((await receive())["type"])
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    with aiobpy.owner("cups"):
        cups = web.site("cups")
    with aiobpy.owner("saucers"):
        saucers = web.site("saucers")

    @cups.get("/")
    @saucers.get("/")
    def hello() -> str:
        return "hello"

    @cups.get("/wait")
    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    @cups.websocket("/socket")
    async def socket(socket: web.WebSocket) -> None:
        async for _ in socket:
            pass

    cups.mount("/app", application)

    async def main(client: aiohttp.ClientSession) -> None:
        async def under_way() -> int:
            async with client.get("/a/cups/wait") as response:
                assert response.headers["retry-after"] == "1"
                return response.status

        request = asyncio.create_task(under_way())
        await waiting.wait()
        async with client.get("/a/cups/app") as response:
            assert response.status == 200
        async with client.ws_connect("/a/cups/socket") as live:
            owners.of("cups").let_go()
            assert await request == 503
            assert (await live.receive()).data == 1001
        await cups.settled()
        assert life == ["lifespan.startup", "lifespan.shutdown"]
        for path, status in [("cups", 404), ("cups/app", 404), ("saucers", 200)]:
            async with client.get(f"/a/{path}") as response:
                assert response.status == status
        assert cups not in web.sites()

        owners.of("cups").enabled()
        for path in ["cups", "cups/app"]:
            async with client.get(f"/a/{path}") as response:
                assert response.status == 200
        assert life == ["lifespan.startup", "lifespan.shutdown", "lifespan.startup"]

    run(main)


def test_an_add_on_that_is_loaded_anew_begins_with_an_empty_site(run: Run) -> None:
    with aiobpy.owner("cups"):
        before = web.site("cups")
        before.get("/old")(lambda: None)
        owners.of("cups").let_go()
        after = web.site("cups")
    assert after is not before

    @after.get("/new")
    def new() -> str:
        return "new"

    async def main(client: aiohttp.ClientSession) -> None:
        owners.of("cups").enabled()
        async with client.get("/a/cups/old") as response:
            assert response.status == 404
        async with client.get("/a/cups/new") as response:
            assert response.status == 200

    run(main)


def test_an_add_on_that_has_gone_leaves_its_name_to_others() -> None:
    with aiobpy.owner("cups"):
        web.site("shared")
    with aiobpy.owner("saucers"):
        with pytest.raises(ValueError, match="that of cups already"):
            web.site("shared")
        owners.of("cups").let_go()
        web.site("shared").close()


def test_a_site_that_is_closed_leaves_nothing_behind() -> None:
    def one() -> None: ...

    site = web.site("brief")
    before = len(serving._handlers)
    site.get("/")(one)
    site.get("/")(one)
    assert len(serving._handlers) == before + 1
    site.close()
    assert len(serving._handlers) == before
    handler = weakref.ref(one)
    del one
    gc.collect()
    assert handler() is None


def test_a_handler_is_cancelled_when_its_client_goes_unless_it_must_not_be(run: Run) -> None:
    site = web.site("slow")
    waiting, cancelled, go_on, done = (asyncio.Event() for _ in range(4))

    @site.get("/cancelled")
    async def is_cancelled() -> None:
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    @site.get("/finished", cancel_on_disconnect=False)
    async def is_finished() -> None:
        waiting.set()
        await go_on.wait()
        done.set()

    async def main(client: aiohttp.ClientSession) -> None:
        for path in ["cancelled", "finished"]:
            waiting.clear()
            request = asyncio.create_task(client.get(f"/a/slow/{path}"))
            await waiting.wait()
            request.cancel()
            await asyncio.wait([request])
        await cancelled.wait()
        go_on.set()
        await done.wait()

    run(main)


def test_a_handler_begins_in_the_turn_in_which_its_request_comes(run: Run) -> None:
    site = web.site("brief")
    begun: list[str] = []

    @site.get("/now")
    async def now() -> str:
        assert asyncio.current_task() is not None
        begun.append("now")
        await asyncio.sleep(0)
        begun.append("later")
        return "done"

    class Looking:
        """Looks at how far it is when the request has been begun."""

        def __init__(self, handler: Any) -> None:
            self.handler = handler

        def __call__(self, exchange: Any) -> None:
            self.handler(exchange)
            begun.append("looked")

    (number,) = [route.handler for route in site.routes]
    assert number is not None
    serving._handlers[number] = Looking(serving._handlers[number])

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/brief/now") as response:
            assert (response.status, await response.text()) == (200, "done")

    run(main)
    assert begun == ["now", "looked", "later"]


def test_a_handler_that_is_cancelled_before_it_begins_leaves_nothing_behind(run: Run) -> None:
    site = web.site("brief")
    begun: list[str] = []

    @site.get("/late")
    async def late() -> None:
        begun.append("late")

    class Closing:
        """Asks for the answer, and takes the site down in the same turn of the loop."""

        def __init__(self, handler: Any) -> None:
            self.handler = handler

        def __call__(self, exchange: Any) -> None:
            self.handler(exchange)
            site.close()

    (number,) = [route.handler for route in site.routes]
    assert number is not None
    serving._handlers[number] = Closing(serving._handlers[number])

    async def main(client: aiohttp.ClientSession) -> None:
        # One's own factory says when a task takes its first step.
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coro, **given: asyncio.Task(coro, loop=loop, **given)
        )
        async with client.get("/a/brief/late") as response:
            assert response.status == 503
        gc.collect()

    run(main)
    assert begun == []


def test_a_handler_belongs_to_its_add_on_and_runs_in_a_context_of_its_own(run: Run) -> None:
    seen: list[str] = []
    with aiobpy.owner("cups"):
        site = web.site("cups")

    @site.get("/now")
    def now() -> None:
        seen.append(owners.current().name)

    @site.get("/later")
    async def later() -> None:
        seen.append(owners.current().name)

    async def main(client: aiohttp.ClientSession) -> None:
        for path in ["now", "later"]:
            async with client.get(f"/a/cups/{path}") as response:
                assert response.status == 204

    run(main)
    assert seen == ["cups", "cups"]
