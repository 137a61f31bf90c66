"""JSON-RPC 2.0 over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy import web
from aiobpy.rpc import registered, remove, rpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.web.conftest import Run

Json = Any


@pytest.fixture(autouse=True)
def _methods() -> Iterator[None]:
    def add(one: int, two: int = 2) -> int:
        return one + two

    def refuse() -> None:
        raise aiobpy.Problem("there is no such cup", status=404, kind="no-cup")

    def fail() -> None:
        msg = "a fault of ours"
        raise RuntimeError(msg)

    rpc(name="cup.add")(add)
    rpc(name="cup.refuse")(refuse)
    rpc(name="cup.fail")(fail)
    yield
    for function in list(registered().values()):
        remove(function)


async def told(client: aiohttp.ClientSession, request: Json) -> tuple[int, Json]:
    async with client.post("/rpc", json=request) as response:
        return response.status, await response.json() if response.status != 202 else None


def call(method: str, params: Json = None, number: Json = 1) -> Json:
    request = {"jsonrpc": "2.0", "method": method, "id": number}
    return request if params is None else {**request, "params": params}


def test_a_method_is_called_by_name_or_by_position(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        for params in [{"one": 1, "two": 1}, [1, 1]]:
            answer = {"jsonrpc": "2.0", "id": "x", "result": 2}
            assert await told(client, call("cup.add", params, "x")) == (200, answer)

    run(main)


def test_what_is_wrong_has_its_code_and_the_problem(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        for method, params, code, kind in [
            ("cup.ad", {}, -32601, "unknown-method"),
            ("cup.add", {}, -32602, "invalid-params"),
            ("cup.add", [1, 2, 3], -32602, "invalid-params"),
            ("cup.fail", {}, -32603, "method-failed"),
            ("cup.refuse", None, -32000, "no-cup"),
            ("tools/call", {}, -32601, "unknown-method"),
        ]:
            status, answer = await told(client, call(method, params))
            assert (status, answer["error"]["code"]) == (200, code)
            assert answer["error"]["data"]["type"] == kind

    run(main, reports=True)


def test_a_batch_runs_at_once_and_is_answered_in_order(run: Run) -> None:
    first_may_go = asyncio.Event()

    @rpc(name="cup.first")
    async def first() -> str:
        await first_may_go.wait()
        return "first"

    @rpc(name="cup.second")
    def second() -> str:
        first_may_go.set()
        return "second"

    async def main(client: aiohttp.ClientSession) -> None:
        batch = [call("cup.first", number=1), call("cup.second", number=2), 7]
        status, answers = await told(client, batch)
        assert status == 200
        assert [answer.get("result") for answer in answers] == ["first", "second", None]
        assert answers[2]["error"]["code"] == -32600

    run(main)


def test_a_notification_is_run_and_not_answered(run: Run) -> None:
    ran = asyncio.Event()

    @rpc(name="cup.note")
    def note() -> None:
        ran.set()

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.post("/rpc", json={"jsonrpc": "2.0", "method": "cup.note"}) as response:
            assert (response.status, await response.read()) == (202, b"")
        await asyncio.wait_for(ran.wait(), 10)

    run(main)


def test_what_went_through_the_main_thread_says_where_the_time_went(run: Run) -> None:
    site = web.site("timed")
    site.get("/one", cache=60)(lambda: "one")
    site.post("/two")(lambda: "two")

    def names(response: aiohttp.ClientResponse) -> list[str]:
        return [part.split(";")[0] for part in response.headers["server-timing"].split(", ")]

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.post("/api/v1/rpc/cup.add", json={"one": 1}) as response:
            assert await response.json() == 3
            assert names(response) == ["queue", "py"]
        async with client.post("/a/timed/two") as response:
            assert names(response) == ["queue", "py"]
        for _ in range(2):
            async with client.get("/a/timed/one") as response:
                assert "server-timing" not in response.headers

    run(main)
