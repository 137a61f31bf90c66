"""A server with something of each kind on it, and a client that sends whatever it is told."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

import aiobpy
import aiobpy.server
from aiobpy import web
from aiobpy.rpc import remove
from tests.python_server import serving, stand_alone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

_T = TypeVar("_T")
_LONGEST = 20.0
"""Seconds that an answer may take."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back: the status is 0 if the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The `type` of the problem."""
        return str(json.loads(self.body)["type"])


class Target:
    """The server that is attacked.

    Attributes:
        called: Parameters of the calls that have reached Python.
    """

    def __init__(self, server: aiobpy.server.Server) -> None:
        self.port = server.port
        self.token = server.token
        self.discovery_file = server.discovery_file
        self.called: list[Any] = []

    @property
    def host(self) -> str:
        """What requests have to name."""
        return f"127.0.0.1:{self.port}"

    async def raw(self, request: bytes) -> bytes:
        """Send bytes and return all that comes until the server closes the connection.

        It may well do so before it has read all of them: what is then in the way is lost.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(_LONGEST):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def ask(
        self,
        path: str = "/api/v1/status",
        *,
        method: str = "GET",
        host: str | None = None,
        token: bool = True,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request, exactly as it is told."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host if host is None else host}"]
        if token:
            lines.append(f"Authorization: Bearer {self.token}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        if "Connection" not in (headers or {}):
            lines.append("Connection: close")
        return parse(await self.raw("\r\n".join([*lines, "", ""]).encode() + body))

    async def upgrade(self, path: str, **options: Any) -> Answer:
        """Ask for a WebSocket, and take it down again at once."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        } | options.pop("headers", {})
        lines = [f"GET {path} HTTP/1.1", f"Host: {options.pop('host', self.host)}"]
        if options.pop("token", True):
            lines.append(f"Authorization: Bearer {self.token}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        assert not options
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            async with asyncio.timeout(_LONGEST):
                head = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()
        return parse(head)


def parse(answer: bytes) -> Answer:
    """Take an answer apart."""
    if not answer:
        return Answer(0, {}, b"")
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), headers, body)


class Attack(Protocol):
    """Runs a test's coroutine against a server."""

    def __call__(self, main: Callable[[Target], Awaitable[_T]], /) -> _T:
        """Return what it returns."""


@pytest.fixture
def attack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attack]:
    """Run a coroutine function against a server that has methods, a site and a WebSocket."""
    stand_alone(monkeypatch, tmp_path / "configuration")
    targets: list[Target] = []

    @aiobpy.rpc(name="attacked.call")
    def call(text: str = "") -> str:
        targets[0].called.append(text)
        return text

    async def application(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        if scope["type"] == "websocket":
            targets[0].called.append(message)
            await send({"type": "websocket.accept"})
            return
        targets[0].called.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

    web.site("attacked").mount("/", application)

    def run(main: Callable[[Target], Awaitable[_T]]) -> _T:
        loop = aiobpy.EventLoop()

        async def serve() -> _T:
            async with serving(loop) as server:
                targets.append(Target(server))
                return await main(targets[0])

        try:
            return loop.run_until_complete(serve())
        finally:
            loop.close()

    yield run
    remove(call)
