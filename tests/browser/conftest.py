"""A server of ours, a server of somebody else's, and a Chromium, all on one loop."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest
from aiohttp import web as aiohttp_web
from playwright.async_api import async_playwright

import aiobpy
import aiobpy.server
from tests.python_server import serving, stand_alone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from playwright.async_api import Browser, Page

_T = TypeVar("_T")

EVIL = "evil.example"
"""A name that Chromium takes for loopback, as a rebound one."""


class Scene:
    """What a test has to play with.

    Attributes:
        server: Ours.
        page: A page of Chromium's, with nothing on it.
        foreign: The address of a site of another origin, whose page is empty.
    """

    def __init__(self, server: aiobpy.server.Server, page: Page, foreign: str) -> None:
        self.server = server
        self.page = page
        self.foreign = foreign


class Play(Protocol):
    """Runs a test's coroutine in a scene."""

    def __call__(self, main: Callable[[Scene], Awaitable[_T]], /) -> _T:
        """Return what it returns."""


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a coroutine function with a browser beside the server."""
    stand_alone(monkeypatch, tmp_path)

    def run(main: Callable[[Scene], Awaitable[_T]]) -> _T:
        loop = aiobpy.EventLoop()

        async def show() -> _T:
            async with serving(loop) as server, chromium() as browser, foreign_site() as foreign:
                page = await browser.new_page()
                return await main(Scene(server, page, foreign))

        try:
            return loop.run_until_complete(show())
        finally:
            loop.close()

    return run


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Debian's Chromium without a window."""
    program = shutil.which("chromium")
    assert program, "Chromium is missing; `cargo xtask setup` installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            # Root has no other way, and nothing but our own pages is loaded.
            args=["--no-sandbox", f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"],
        )
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def foreign_site() -> AsyncIterator[str]:
    """Serve an empty page on a port of its own, and yield its address."""

    async def empty(_request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.Response(text="<!doctype html>", content_type="text/html")

    app = aiohttp_web.Application()
    app.router.add_get("/", empty)
    runner = aiohttp_web.AppRunner(app, access_log=None)
    await runner.setup()
    await aiohttp_web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
