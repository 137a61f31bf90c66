"""What the guests do: take in bytes by different ways, ask for echoes, sleep."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MEBIBYTES = 1024
PAYLOAD = bytes(range(256)) * 4
NAP = 0.02
SLEEPERS = 4


@dataclass
class Progress:
    """What a cell counted; times by `time.perf_counter()`."""

    received: int = 0
    began: float = 0.0
    """When the first byte came, or the first question was asked."""
    ended: float = 0.0
    latencies: list[float] = field(default_factory=list)
    naps: list[tuple[float, float]] = field(default_factory=list)
    """When a sleep was due, and when its task went on."""
    sock: socket.socket | None = None
    at: list[tuple[float, int]] = field(default_factory=list)
    """How much had been received when."""

    def note(self, size: int) -> None:
        """So many bytes came."""
        self.ended = time.perf_counter()
        if not self.received:
            self.began = self.ended
        self.received += size
        self.at.append((self.ended, self.received))

    def received_until(self, moment: float) -> int:
        """How many bytes had been handed over by then."""
        return max((total for at, total in self.at if at <= moment), default=0)

    def received_by_socket(self) -> int:
        """How many bytes the kernel has received on the connection."""
        assert self.sock is not None
        information = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        # `tcpi_bytes_received` of `struct tcp_info` in linux/tcp.h.
        return int(struct.unpack_from("Q", information, 128)[0])


class Counting(asyncio.Protocol):
    """Counts what arrives."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Some came."""
        self.progress.note(len(data))

    def connection_lost(self, _error: Exception | None) -> None:
        """All came."""
        if not self.done.done():
            self.done.set_result(None)


async def protocol(ports: dict[str, int], progress: Progress) -> None:
    """The least that an application can do with the bytes."""
    loop = asyncio.get_running_loop()
    transport, counting = await loop.create_connection(
        lambda: Counting(progress), "127.0.0.1", ports["plain"]
    )
    progress.sock = transport.get_extra_info("socket")
    transport.write(_request())
    await counting.done


async def streams(ports: dict[str, int], progress: Progress) -> None:
    """asyncio's own reader."""
    await _read_stream(progress, "127.0.0.1", ports["plain"], None)


async def tls(ports: dict[str, int], progress: Progress) -> None:
    """asyncio's own reader over TLS."""
    await _read_stream(progress, "127.0.0.1", ports["tls"], _tls_context())


async def _read_stream(
    progress: Progress, host: str, port: int, context: ssl.SSLContext | None
) -> None:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    progress.sock = writer.get_extra_info("socket")
    writer.write(_request())
    while data := await reader.read(1 << 20):
        progress.note(len(data))
    writer.close()


async def aiohttp(ports: dict[str, int], progress: Progress) -> None:
    """What an add-on would use."""
    from aiohttp import ClientSession

    url = f"http://127.0.0.1:{ports['plain']}/{MEBIBYTES}"
    async with ClientSession() as session, session.get(url) as got:
        async for data in got.content.iter_any():
            progress.note(len(data))


class Asking(asyncio.Protocol):
    """Sends a message and gives a future of its echo, as a client of a database does."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def ask(self) -> asyncio.Future[None]:
        """Send; the future is done when all of it came back."""
        self.missing = len(PAYLOAD)
        self.answered: asyncio.Future[None] = self.loop.create_future()
        self.transport.write(PAYLOAD)  # type: ignore[attr-defined]
        return self.answered

    def data_received(self, data: bytes) -> None:
        """Some of the echo came."""
        if not PAYLOAD.endswith(data):
            msg = "the echo is not what was sent"
            raise ValueError(msg)
        self.missing -= len(data)
        if not self.missing:
            self.answered.set_result(None)


def echo(connections: int) -> Callable[[dict[str, int], Progress], Coroutine[Any, Any, None]]:
    """Ask for echoes on so many connections, one question at a time on each, until cancelled."""

    async def run(ports: dict[str, int], progress: Progress) -> None:
        loop = asyncio.get_running_loop()
        connecting = (
            loop.create_connection(Asking, "127.0.0.1", ports["echo"]) for _ in range(connections)
        )
        made = await asyncio.gather(*connecting)
        progress.began = time.perf_counter()
        await asyncio.gather(*(ask_on(asking, progress.latencies) for _transport, asking in made))

    async def ask_on(asking: Asking, latencies: list[float]) -> None:
        clock = time.perf_counter
        while True:
            began = clock()
            await asking.ask()
            latencies.append(clock() - began)

    return run


async def sleep(_ports: dict[str, int], progress: Progress) -> None:
    """Sleep again and again, in a few tasks; what `asyncio.sleep` does, with its due time kept."""
    loop = asyncio.get_running_loop()

    async def nap() -> None:
        while True:
            woken = loop.create_future()
            due = time.perf_counter() + NAP
            handle = loop.call_later(NAP, woken.set_result, None)
            due = max(due, handle.when())
            await woken
            progress.naps.append((due, time.perf_counter()))

    async with asyncio.TaskGroup() as group:
        for _ in range(SLEEPERS):
            group.create_task(nap())
            await asyncio.sleep(NAP / SLEEPERS)


async def idle(ports: dict[str, int], _progress: Progress) -> None:
    """One connection that nothing comes on, and timers of the far future."""
    loop = asyncio.get_running_loop()
    await loop.create_connection(asyncio.Protocol, "127.0.0.1", ports["echo"])
    for index in range(100):
        loop.call_later(3600 + index, print)


CELLS = {
    "protocol": protocol,
    "streams": streams,
    "tls": tls,
    "aiohttp": aiohttp,
    "echo1": echo(1),
    "echo100": echo(100),
    "sleep": sleep,
    "idle": idle,
}


def prepare(cell: str) -> None:
    """Load what an add-on loads when it is enabled: that is no part of a tick."""
    if cell == "aiohttp":
        import aiohttp  # noqa: F401
    elif cell == "tls":
        _tls_context()


@functools.cache
def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request() -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % MEBIBYTES
