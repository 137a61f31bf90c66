"""The client's side, the same on every loop: 200 busy connections, or one that waits for stamps."""

from __future__ import annotations

import asyncio
import random
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

_STAMP = struct.Struct("d")


class Busy:
    """Reads from all connections until it is cancelled: downloads, and a WebSocket feed.

    Attributes:
        open: Connections that have been answered.
    """

    def __init__(self, port: int, connections: int, *, natively: bool) -> None:
        """`natively`: downloads by `aiobpy.download`, to files; else by aiohttp, to nowhere."""
        self.open = 0
        self._base = f"http://127.0.0.1:{port}"
        self._connections = connections
        self._download = self._to_a_file if natively else self._by_aiohttp

    async def run(self) -> None:
        """Read."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, read_bufsize=1 << 18) as session:
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(folder) / str(number) for number in range(self._connections - 1)]
                await asyncio.gather(
                    self._follow(session), *(self._download(session, path) for path in paths)
                )

    async def _by_aiohttp(self, session: aiohttp.ClientSession, _path: Path) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with session.get(self._base, timeout=timeout) as response:
            self.open += 1
            async for _ in response.content.iter_any():
                pass

    async def _to_a_file(self, _session: aiohttp.ClientSession, path: Path) -> None:
        import aiobpy

        begun = False

        def note(_progress: aiobpy.Progress) -> None:
            nonlocal begun
            self.open += not begun
            begun = True

        await aiobpy.download(self._base, path, resume=False, on_progress=note)

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(self._base) as feed:
            self.open += 1
            async for _ in feed:
                pass


class Stamps(asyncio.Protocol):
    """Asks for a stamp at a random moment, again and again, and notes how late each callback is."""

    def __init__(self, pause: tuple[float, float]) -> None:
        """`pause`: the shortest and the longest time to the next stamp, in seconds."""
        self.latencies: list[float] = []
        self._pause = pause

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first."""
        self._transport: Any = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Note how old it is, and ask for the next."""
        now = time.monotonic()
        self.latencies.append(now - _STAMP.unpack(data[-_STAMP.size :])[0])
        self._ask()

    def _ask(self) -> None:
        self._transport.write(b"%f\n" % random.uniform(*self._pause))
