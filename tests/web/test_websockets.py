"""Functions that answer the WebSockets of a site."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from aiobpy import web

if TYPE_CHECKING:
    from tests.web.conftest import Run


def test_messages_go_to_and_fro(run: Run) -> None:
    site = web.site("sockets")
    ends: list[tuple[int | None, str]] = []

    @site.websocket("/live/{name}")
    async def live(socket: web.WebSocket, name: str, count: int = 1) -> None:
        async for message in socket:
            for _ in range(count):
                await socket.send({"name": name} if message == "json" else message)
        ends.append((socket.close_code, socket.close_reason))

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/sockets/live/x?count=2") as socket:
            await socket.send_str("text")
            assert [await socket.receive_str() for _ in range(2)] == ["text"] * 2
            await socket.send_bytes(b"bytes")
            assert [await socket.receive_bytes() for _ in range(2)] == [b"bytes"] * 2
            await socket.send_str("json")
            assert [await socket.receive_json() for _ in range(2)] == [{"name": "x"}] * 2
            await socket.close(code=3000, message=b"enough")
        await site.settled()

    run(main)
    assert ends == [(3000, "enough")]


def test_a_handler_chooses_a_subprotocol_and_closes(run: Run) -> None:
    site = web.site("sockets")

    @site.websocket("/live")
    async def live(socket: web.WebSocket) -> None:
        await socket.accept(socket.subprotocols[-1], headers=[("x-cup", "blue")])
        assert await socket.receive() == "go"
        await socket.close(3001, "gone")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/sockets/live", protocols=["a", "b"]) as socket:
            assert socket.protocol == "b"
            await socket.send_str("go")
            message = await socket.receive()
            assert (message.data, message.extra) == (3001, "gone")

    run(main)


def test_what_does_not_fit_is_answered_before_the_handshake(run: Run) -> None:
    site = web.site("sockets")

    @site.websocket("/live/{count}")
    async def live(socket: web.WebSocket, count: int) -> None:
        """Go without a word."""

    async def main(client: aiohttp.ClientSession) -> None:
        for path, status in [("live/many", 422), ("live/1", 403), ("nowhere", 404)]:
            with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
                await client.ws_connect(f"/a/sockets/{path}")
            assert raised.value.status == status
        async with client.get("/a/sockets/live/1") as response:
            assert response.status == 426

    run(main)


def test_who_waits_for_something_else_is_cancelled_when_the_client_goes(run: Run) -> None:
    site = web.site("sockets")
    cancelled = asyncio.Event()

    @site.websocket("/live")
    async def live(socket: web.WebSocket) -> None:
        await socket.send("hello")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/sockets/live") as socket:
            assert await socket.receive_str() == "hello"
        await cancelled.wait()

    run(main)


def test_a_handler_that_fails_closes_with_1011(run: Run) -> None:
    site = web.site("sockets")

    @site.websocket("/live")
    async def live(socket: web.WebSocket) -> None:
        await socket.send("hello")
        raise ZeroDivisionError

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/sockets/live") as socket:
            assert await socket.receive_str() == "hello"
            assert (await socket.receive()).data == 1011

    run(main, reports=True)


def test_a_handler_without_a_websocket_is_refused_at_once() -> None:
    site = web.site("sockets")
    with pytest.raises(TypeError, match="no parameter of the type"):

        @site.websocket("/live")
        async def live(name: str) -> None: ...

    site.close()
