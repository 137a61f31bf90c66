"""A web server in this process, and a client on the loop that answers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import aiohttp
import pytest

import aiobpy
import aiobpy.server
import aiobpy.web
from tests.python_server import serving, stand_alone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_T = TypeVar("_T")


class Run(Protocol):
    """Runs a test's coroutine while the server is on."""

    def __call__(
        self,
        main: Callable[[aiohttp.ClientSession], Awaitable[_T]],
        /,
        *,
        reports: bool = False,
    ) -> _T:
        """Return what it returns. `reports` says whether the loop is told of failures."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a coroutine function with a client of the server that sends its token."""
    stand_alone(monkeypatch, tmp_path)

    def run(main: Callable[[aiohttp.ClientSession], Awaitable[_T]], *, reports: bool = False) -> _T:
        loop = aiobpy.EventLoop()
        reported: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))

        async def serve() -> _T:
            async with serving(loop) as server:
                headers = {"Authorization": f"Bearer {server.token}"}
                timeout = aiohttp.ClientTimeout(total=30)
                connector = aiohttp.TCPConnector(limit=0)
                async with aiohttp.ClientSession(
                    server.address, headers=headers, timeout=timeout, connector=connector
                ) as client:
                    return await main(client)

        try:
            result = loop.run_until_complete(serve())
        finally:
            loop.close()
        assert bool(reported) == reports, reported
        return result

    return run
