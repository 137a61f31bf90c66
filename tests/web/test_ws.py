"""JSON-RPC and events over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import aiobpy
from aiobpy.rpc import registered, remove, rpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Run

Json = Any


@pytest.fixture(autouse=True)
def _methods() -> Iterator[None]:
    def add(one: int, two: int = 2) -> int:
        return one + two

    rpc(name="cup.add")(add)
    yield
    for function in list(registered().values()):
        remove(function)


def call(method: str, number: int | None = 1, **params: Json) -> Json:
    request = {"jsonrpc": "2.0", "method": method, "params": params}
    return request if number is None else {**request, "id": number}


async def told(socket: aiohttp.ClientWebSocketResponse, request: Json) -> Json:
    await socket.send_json(request)
    return await socket.receive_json(timeout=10)


def test_requests_are_answered_as_over_http(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/ws", protocols=["aiobpy.v1.json"]) as socket:
            assert socket.protocol == "aiobpy.v1.json"
            assert (await told(socket, call("cup.add", one=1)))["result"] == 3
            assert (await told(socket, call("cup.nothing")))["error"]["code"] == -32601
            batch = [call("cup.add", 1, one=1), call("cup.add", 2, one=2)]
            assert [answer["result"] for answer in await told(socket, batch)] == [3, 4]
            await socket.send_str("{")
            assert (await socket.receive_json(timeout=10))["error"]["code"] == -32700
            await socket.send_bytes(b"{}")
            assert "error" in await socket.receive_json(timeout=10)

    run(main)


def test_events_are_told_of_to_those_who_have_subscribed(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/ws") as socket:
            assert (await told(socket, call("subscribe", topic="cup")))["result"] is True
            aiobpy.publish("plate.broken")
            aiobpy.publish("cup.filled", {"height": 1})
            event = await socket.receive_json(timeout=10)
            assert (event["method"], "id" in event) == ("event", False)
            assert event["params"]["topic"] == "cup.filled"
            assert event["params"]["data"] == {"height": 1}
            assert (await told(socket, call("unsubscribe", topic="cup")))["result"] is True
            aiobpy.publish("cup.filled", {"height": 2})
            # Its answer would come behind the event.
            assert (await told(socket, call("cup.add", one=1)))["result"] == 3
            assert "error" in await told(socket, call("unsubscribe", topic="cup"))
            assert "error" in await told(socket, call("subscribe", topic="x", rate_hz=0))

    run(main)


def test_a_client_with_a_rate_gets_the_newest_of_each_topic(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/ws") as socket:
            await told(socket, call("subscribe", topic="cup", rate_hz=4))
            for height in range(200):
                aiobpy.publish("cup.height", height)
            aiobpy.publish("cup.full")
            heights = []
            while (event := (await socket.receive_json(timeout=10))["params"])[
                "topic"
            ] != "cup.full":
                heights.append(event["data"])
            assert heights[-1] == 199
            assert len(heights) < 20

    run(main)


def test_a_browser_offers_its_token_as_a_subprotocol(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        async with aiohttp.ClientSession(server.address) as stranger:
            protocols = ["aiobpy.v1.json", f"bearer.{server.token}"]
            async with stranger.ws_connect("/ws", protocols=protocols) as socket:
                assert socket.protocol == "aiobpy.v1.json"
                assert (await told(socket, call("cup.add", one=1)))["result"] == 3
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await stranger.ws_connect("/ws", protocols=["bearer.wrong"])

    run(main)


def test_message_pack_says_the_same(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/ws", protocols=["aiobpy.v1.msgpack"]) as socket:
            await socket.send_bytes(packed(call("cup.add", one=1)))
            answer = await socket.receive_bytes(timeout=10)
            assert answer == packed({"jsonrpc": "2.0", "id": 1, "result": 3})

    run(main)


def test_many_requests_are_under_way_at_once(run: Run) -> None:
    waiting = asyncio.Barrier(8)

    @rpc(name="cup.meet")
    async def meet() -> int:
        return await waiting.wait()

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/ws") as socket:
            for number in range(8):
                await socket.send_json(call("cup.meet", number))
            answers = [await socket.receive_json(timeout=10) for _ in range(8)]
            assert sorted(answer["id"] for answer in answers) == list(range(8))

    run(main)


def packed(value: Json) -> bytes:
    """Return the MessagePack of small things (<https://msgpack.org>)."""
    match value:
        case dict():
            items = b"".join(packed(key) + packed(item) for key, item in value.items())
            return bytes([0x80 | len(value)]) + items
        case str():
            return bytes([0xA0 | len(value)]) + value.encode()
        case int():
            return bytes([value])
    raise AssertionError(json.dumps(value))
