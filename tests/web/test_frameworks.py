"""Starlette, FastAPI and Django, mounted as they are."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import django
import django.conf
import django.http
import django.urls
import fastapi
import fastapi.responses
import starlette.applications
import starlette.background
import starlette.requests
import starlette.responses
import starlette.routing
import starlette.staticfiles
import starlette.websockets
from django.core.asgi import get_asgi_application

import aiobpy.server
from aiobpy import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp
    import pytest

    from tests.web.conftest import Run


def test_a_starlette_application_runs_whole(run: Run, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>page</p>")
    happened: list[str] = []

    @contextlib.asynccontextmanager
    async def life(_: starlette.applications.Starlette) -> AsyncIterator[dict[str, Any]]:
        happened.append("started")
        yield {"shelf": "blue"}
        happened.append("ended")

    async def hello(request: starlette.requests.Request) -> starlette.responses.Response:
        task = starlette.background.BackgroundTask(happened.append, "background")
        body = {
            "shelf": request.state.shelf,
            "name": request.path_params["name"],
            "url": str(request.url_for("hello", name="y")),
            "body": (await request.body()).decode(),
        }
        return starlette.responses.JSONResponse(body, background=task)

    async def stream(_: starlette.requests.Request) -> starlette.responses.Response:
        async def numbers() -> AsyncIterator[str]:
            for number in range(3):
                yield f"{number}\n"

        return starlette.responses.StreamingResponse(numbers())

    async def echo(socket: starlette.websockets.WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())

    application = starlette.applications.Starlette(
        routes=[
            starlette.routing.Route("/hello/{name}", hello, methods=["GET", "POST"], name="hello"),
            starlette.routing.Route("/stream", stream),
            starlette.routing.WebSocketRoute("/echo", echo),
            starlette.routing.Mount(
                "/files", starlette.staticfiles.StaticFiles(directory=tmp_path)
            ),
        ],
        lifespan=life,
    )
    web.site("star").mount("/app", application)

    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        async with client.post("/a/star/app/hello/x", data=b"body") as response:
            assert await response.json() == {
                "shelf": "blue",
                "name": "x",
                "url": f"{server.address}/a/star/app/hello/y",
                "body": "body",
            }
        async with client.get("/a/star/app/stream") as response:
            assert await response.text() == "0\n1\n2\n"
        async with client.get("/a/star/app/files/page.html") as response:
            assert await response.text() == "<p>page</p>"
        async with client.get("/a/star/app/nowhere") as response:
            assert response.status == 404
        async with client.ws_connect("/a/star/app/echo") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "HELLO"

    run(main)
    assert happened == ["started", "background", "ended"]


def test_a_fastapi_application_runs_whole(run: Run) -> None:
    application = fastapi.FastAPI(title="Cups")

    @application.get("/cups/{name}")
    async def cup(name: str, limit: int = 3) -> dict[str, Any]:
        return {"name": name, "limit": limit}

    @application.get("/sync")
    def in_a_thread() -> str:
        return "thread"

    web.site("fast").mount("/", application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/fast/cups/x?limit=5") as response:
            assert await response.json() == {"name": "x", "limit": 5}
        async with client.get("/a/fast/cups/x?limit=many") as response:
            assert response.status == 422
        async with client.get("/a/fast/sync") as response:
            assert await response.json() == "thread"
        async with client.get("/a/fast/openapi.json") as response:
            schema = await response.json()
            assert schema["servers"] == [{"url": "/a/fast"}]
            assert "/cups/{name}" in schema["paths"]

    run(main)


def test_a_django_application_runs_whole(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    if not django.conf.settings.configured:
        django.conf.settings.configure(
            SECRET_KEY="only for tests", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__
        )
        django.setup()
    web.site("django").mount("/", get_asgi_application())

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/django/cups/x?limit=5") as response:
            assert response.status == 200
            assert await response.json() == {"name": "x", "limit": "5", "where": "/a/django/cups/x"}
        async with client.post("/a/django/cups/x", data=b"body") as response:
            assert await response.json() == {"name": "x", "limit": None, "where": "body"}
        async with client.get("/a/django/nowhere") as response:
            assert response.status == 404

    run(main)


async def show(request: Any, name: str) -> Any:
    where = request.body.decode() if request.method == "POST" else request.path
    answer = {"name": name, "limit": request.GET.get("limit"), "where": where}
    return django.http.JsonResponse(answer)


urlpatterns = [django.urls.path("cups/<name>", show)]


def test_an_application_that_cannot_start_says_so(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    site = web.site("broken")
    site.mount("/", application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/broken") as response:
            assert response.status == 503
            problem = await response.json()
            assert problem["detail"] == "the application did not start: no database"
        assert site.failures == ["no database"]

    run(main, reports=True)


def test_an_application_starts_with_the_server_and_ends_with_it(run: Run) -> None:
    happened: list[str] = []
    started = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        happened.append("started")
        await send({"type": "lifespan.startup.complete"})
        started.set()
        assert (await receive())["type"] == "lifespan.shutdown"
        happened.append("ended")
        await send({"type": "lifespan.shutdown.complete"})

    site = web.site("life")
    site.mount("/", application)

    async def main(_: aiohttp.ClientSession) -> None:
        # Nobody has asked for anything.
        await started.wait()
        site.mount("/", application)
        started.clear()
        await started.wait()

    run(main)
    assert sorted(happened) == ["ended", "ended", "started", "started"]


def test_what_a_request_puts_into_the_state_is_its_own(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["all"] = []
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        assert scope["state"].setdefault("mine", scope["path"]) == scope["path"]
        scope["state"]["all"].append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(scope["state"]["all"]).encode()})

    web.site("state").mount("/", application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/state/1") as response:
            assert response.status == 200
        async with client.get("/a/state/2") as response:
            assert await response.text() == "['/a/state/1', '/a/state/2']"

    run(main)
