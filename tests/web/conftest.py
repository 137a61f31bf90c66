"""A web server in this process, and a client on the loop that answers for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import aiohttp
import pytest

import aiobpy
import aiobpy.server
import aiobpy.web

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
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("AIOBPY_TOKEN", raising=False)
    # A test that ran before may have loaded it: this is a Python without a Blender.
    monkeypatch.delitem(sys.modules, "bpy", raising=False)

    def run(main: Callable[[aiohttp.ClientSession], Awaitable[_T]], *, reports: bool = False) -> _T:
        loop = aiobpy.EventLoop()
        reported: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))

        async def serve() -> _T:
            server = aiobpy.server.start(loop=loop)
            headers = {"Authorization": f"Bearer {server.token}"}
            timeout = aiohttp.ClientTimeout(total=30)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(
                server.address, headers=headers, timeout=timeout, connector=connector
            ) as client:
                try:
                    return await main(client)
                finally:
                    aiobpy.server.stop()
                    for site in aiobpy.web.sites():
                        await site.settled()
                        if site.prefix.startswith("/a/"):
                            site.close()

        try:
            result = loop.run_until_complete(serve())
        finally:
            loop.close()
        assert bool(reported) == reports, reported
        return result

    return run
