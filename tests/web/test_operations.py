"""Methods that take long: operations that are followed and cancelled."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy.rpc import registered, remove, rpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.web.conftest import Run

Json = Any


@pytest.fixture(autouse=True)
def _offer_nothing_afterwards() -> Iterator[None]:
    yield
    for function in list(registered().values()):
        remove(function)


async def begun(client: aiohttp.ClientSession, method: str, **headers: str) -> str:
    async with client.post(f"/api/v1/rpc/{method}", headers=headers, json={}) as response:
        assert response.status == 202
        operation = await response.json()
        assert operation["state"] == "running"
        assert response.headers["location"] == f"/api/v1/operations/{operation['id']}"
        return response.headers["location"]


async def told(client: aiohttp.ClientSession, location: str) -> list[Json]:
    """Return what the stream of an operation says, to its end."""
    async with client.get(f"{location}/events") as response:
        assert response.content_type == "text/event-stream"
        lines = (await response.text()).splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data")]


def test_a_long_method_is_followed_to_its_result(run: Run) -> None:
    go_on = asyncio.Event()

    @rpc(name="cup.bake", long=True)
    async def bake() -> str:
        aiobpy.set_progress(0.5, "in the oven")
        await go_on.wait()
        return "done"

    async def main(client: aiohttp.ClientSession) -> None:
        location = await begun(client, "cup.bake")
        following = asyncio.ensure_future(told(client, location))
        while True:
            async with client.get(location) as response:
                operation = await response.json()
            if operation["progress"] == 0.5:
                break
        assert (operation["state"], operation["message"]) == ("running", "in the oven")
        go_on.set()
        last = (await following)[-1]
        assert (last["state"], last["result"], last["progress"]) == ("finished", "done", 1.0)
        async with client.get("/api/v1/operations") as response:
            (known,) = (await response.json())["operations"]
        assert known["id"] == last["id"]
        assert "result" not in known

    run(main)


def test_an_operation_is_cancelled_with_its_task(run: Run) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    @rpc(name="cup.bake", long=True)
    async def bake() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main(client: aiohttp.ClientSession) -> None:
        location = await begun(client, "cup.bake")
        await began.wait()
        async with client.get(f"{location}/events") as events:
            async with client.delete(location) as response:
                assert (await response.json())["state"] == "cancelled"
            await asyncio.wait_for(ended.wait(), 10)
            assert '"state":"cancelled"' in await events.text()
        async with client.get(location) as response:
            assert response.status == 404

    run(main)


def test_what_does_not_fit_is_told_at_once(run: Run) -> None:
    @rpc(name="cup.bake", long=True)
    async def bake(height: float) -> None: ...

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.post("/api/v1/rpc/cup.bake", json={"height": "x"}) as response:
            assert response.status == 422
        async with client.get("/api/v1/operations") as response:
            assert (await response.json())["operations"] == []

    run(main)


def test_any_method_goes_on_without_a_client_that_would_not_wait(run: Run) -> None:
    @rpc(name="cup.break")
    async def break_it() -> None:
        raise aiobpy.Problem("it is broken already", kind="broken")

    async def main(client: aiohttp.ClientSession) -> None:
        location = await begun(client, "cup.break", Prefer="respond-async")
        last = (await told(client, location))[-1]
        assert (last["state"], last["problem"]["type"]) == ("failed", "broken")
        async with client.get("/api/v1/operations/7") as response:
            assert response.status == 404
            assert (await response.json())["type"] == "unknown-operation"

    run(main)
