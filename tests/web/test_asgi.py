"""ASGI applications that hang on the web server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiobpy import web

if TYPE_CHECKING:
    import aiohttp

    from tests.web.conftest import Run


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Say hello."""
    await receive()
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello " + scope["path"].encode()})


def test_an_application_answers_below_its_prefix(run: Run) -> None:
    web.site("hello").mount("/", hello)

    async def main(client: aiohttp.ClientSession) -> None:
        for path in ["/a/hello", "/a/hello/", "/a/hello/to/you"]:
            async with client.get(path) as response:
                assert response.status == 200
                assert await response.text() == f"hello {path}"
                assert response.headers["content-type"] == "text/plain"
                assert response.headers["content-length"] == str(len(f"hello {path}"))

    run(main)


def test_an_application_answers_below_a_prefix_of_its_site(run: Run) -> None:
    web.site("part").mount("/part", hello)

    async def main(client: aiohttp.ClientSession) -> None:
        for path in ["/a/part/part", "/a/part/part/", "/a/part/part/x/y"]:
            async with client.get(path) as response:
                assert await response.text() == f"hello {path}"
        async with client.get("/a/part/parts") as response:
            assert response.status == 404

    run(main)


def test_a_body_streams_both_ways(run: Run) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            body = message["body"]
            await send({"type": "http.response.body", "body": body, "more_body": more})

    web.site("echo").mount("/", echo)

    async def main(client: aiohttp.ClientSession) -> None:
        bytes_of_body = bytes(range(256)) * 4096
        async with client.post("/a/echo", data=bytes_of_body) as response:
            assert await response.read() == bytes_of_body

    run(main)


def test_a_slow_client_holds_the_application_up(run: Run) -> None:
    sent = 0

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            body = bytes(1 << 20)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            sent += len(body)

    web.site("flood").mount("/", flood)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/flood") as response:
            before = -1
            while sent != before:
                before = sent
                for _ in range(1000):
                    await asyncio.sleep(0)
            assert sent < 64 << 20
            await response.content.readexactly(sent)

    run(main)


def test_messages_of_a_websocket_go_to_and_fro(run: Run) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "subprotocol": "b"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        assert message == {"type": "websocket.disconnect", "code": 3000, "reason": "enough"}
        ended.set()

    ended = asyncio.Event()
    web.site("socket").mount("/", echo)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/socket", protocols=["a", "b"]) as socket:
            assert socket.protocol == "b"
            await socket.send_str("text")
            await socket.send_bytes(b"bytes")
            assert await socket.receive_str() == "text"
            assert await socket.receive_bytes() == b"bytes"
            await socket.close(code=3000, message=b"enough")
        await ended.wait()

    run(main)
