"""Requests that are sent again with the same `Idempotency-Key`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy.rpc import registered, remove, rpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.web.conftest import Run


@pytest.fixture(autouse=True)
def _offer_nothing_afterwards() -> Iterator[None]:
    yield
    for function in list(registered().values()):
        remove(function)


async def called(
    client: aiohttp.ClientSession, method: str, key: str, **params: Any
) -> tuple[int, Any, bool]:
    headers = {"Idempotency-Key": key}
    async with client.post(f"/api/v1/rpc/{method}", json=params, headers=headers) as response:
        is_replayed = "idempotency-replayed" in response.headers
        return response.status, await response.json(), is_replayed


def test_the_same_request_is_answered_as_before(run: Run) -> None:
    count = 0

    @rpc(name="cup.add")
    def add(by: int = 1) -> int:
        nonlocal count
        count += by
        return count

    async def main(client: aiohttp.ClientSession) -> None:
        assert await called(client, "cup.add", "one") == (200, 1, False)
        assert await called(client, "cup.add", "one") == (200, 1, True)
        assert await called(client, "cup.add", "two") == (200, 2, False)
        status, problem, _ = await called(client, "cup.add", "one", by=5)
        assert (status, problem["type"]) == (422, "idempotency-key-reused")
        status, problem, _ = await called(client, "cup.add", "not a key")
        assert (status, problem["type"]) == (400, "malformed-idempotency-key")
        assert count == 2

    run(main)


def test_a_request_under_way_is_not_begun_twice_though_its_client_leaves(run: Run) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    @rpc(name="cup.bake")
    async def bake() -> str:
        began.set()
        await go_on.wait()
        return "done"

    async def main(client: aiohttp.ClientSession) -> None:
        first = asyncio.ensure_future(called(client, "cup.bake", "one"))
        await began.wait()
        status, problem, _ = await called(client, "cup.bake", "one")
        assert (status, problem["type"]) == (409, "idempotency-key-in-use")
        first.cancel()
        go_on.set()
        while (answer := await called(client, "cup.bake", "one"))[0] == 409:
            pass
        assert answer == (200, "done", True)

    run(main)


def test_what_failed_for_want_of_us_may_be_tried_again(run: Run) -> None:
    tries = 0

    @rpc(name="cup.try")
    def try_it() -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise aiobpy.Problem("not now", status=503)
        return tries

    async def main(client: aiohttp.ClientSession) -> None:
        assert (await called(client, "cup.try", "one"))[0] == 503
        assert await called(client, "cup.try", "one") == (200, 2, False)

    run(main)
