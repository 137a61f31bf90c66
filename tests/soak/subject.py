"""What is soaked: an echo server on our loop. `python -m tests.soak.subject alone|guest`.

Prints its port, and a report as JSON for every line that comes in on its standard input.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import aiobpy

FRAME = 1 / 60


class Echo(asyncio.Protocol):
    """Sends back what comes; reads no faster than its peer does."""

    open_ones: set[Echo] = set()
    most = 0
    all_gone: asyncio.Event | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.open_ones.add(self)
        Echo.most = max(Echo.most, len(self.open_ones))

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self.open_ones.discard(self)
        if not self.open_ones and Echo.all_gone is not None:
            Echo.all_gone.set()

    @classmethod
    async def none_connected(cls) -> None:
        """Wait until nobody is connected."""
        cls.all_gone = asyncio.Event()
        await cls.all_gone.wait()


class Subject:
    """The server, and what it says of itself."""

    def __init__(self, loop: aiobpy.EventLoop) -> None:
        self.loop = loop
        self.errors: list[str] = []
        self.ran_out = False
        loop.set_exception_handler(self.note_error)

    async def serve(self) -> None:
        """Listen, and report when asked, until the standard input ends."""
        server = await self.loop.create_server(Echo, "0.0.0.0", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        questions = asyncio.StreamReader()
        await self.loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(questions), sys.stdin
        )
        shortage = self.loop.create_task(self.run_short())
        while await questions.readline():
            # Those whose peer has gone without a word.
            if Echo.open_ones:
                await Echo.none_connected()
            gc.collect()
            print(json.dumps(self.report()), flush=True)
        shortage.cancel()

    async def run_short(self) -> None:
        """Now and then allow no further descriptor until accepting has failed, then go on."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        while True:
            await asyncio.sleep(5)  # under test: no test waits for it
            open_now = len(os.listdir("/proc/self/fd"))
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_now, hard))
            await asyncio.sleep(0.5)  # under test: no test waits for it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def note_error(self, _loop: object, context: dict[str, Any]) -> None:
        """What nobody has caught."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno == errno.EMFILE:
            self.ran_out = True
        else:
            self.errors.append(f"{context['message']}: {error!r}")

    def report(self) -> dict[str, Any]:
        """What it holds now that nobody is connected."""
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        errors, self.errors = self.errors, []
        return {
            "connections": len(Echo.open_ones),
            "most": Echo.most,
            "resident_mib": resident * os.sysconf("SC_PAGESIZE") / (1 << 20),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "read_ahead": self.loop.read_ahead_held(),
            "ran_out": self.ran_out,
            "errors": errors,
        }


def main(way: str) -> None:
    """Serve until the standard input ends."""
    loop = aiobpy.EventLoop()
    subject = Subject(loop)
    task = loop.create_task(subject.serve())
    if way == "alone":
        loop.run_until_complete(task)
        return
    while not task.done():
        loop.run_ready()
        # A host that draws: the frame's time passes whether there is something to do or not.
        loop._wait_for_ready(FRAME)
        spend(FRAME / 2)
    task.result()


def spend(seconds: float) -> None:
    """Hold the main thread up, as a host's own work does."""
    end = os.times().elapsed + seconds
    while os.times().elapsed < end:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
