"""A file by `aiobpy.download` or by curl, under a host: one cell, measured in this process.

curl runs beside the host, started by the same loop, as an add-on would start it. The file goes to
memory (`/dev/shm`), where nothing but the way of the bytes is measured, or to the disk; there curl
is followed by `sync FILE`, as ours is on the disk when it ends.

python -m benches.loop.downloads --way aiobpy --place memory [--mebibytes 1024]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiobpy
from benches.loop import host, peer
from benches.loop.drivers import BUDGET, settle_allocator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PLACES = {"memory": Path("/dev/shm"), "disk": Path(tempfile.gettempdir())}
MEBIBYTES = 1024
LONGEST = 50.0
"""Seconds after which a download has failed."""


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--place", choices=PLACES, required=True)
    parser.add_argument("--mebibytes", type=int, default=MEBIBYTES)
    parser.add_argument("--ports", type=json.loads, help="of a peer that runs; else one is started")
    options = parser.parse_args()
    settle_allocator()
    if options.ports:
        result = measure(options, options.ports)
    else:
        with peer.running() as (_pid, ports):
            result = measure(options, ports)
    print(json.dumps(result))


def measure(options: argparse.Namespace, ports: dict[str, int]) -> dict[str, Any]:
    """Run one download as a guest; say how fast it was, and what the host's frames took."""
    loop = aiobpy.EventLoop()
    asyncio.set_event_loop(loop)
    url = f"http://127.0.0.1:{ports['plain']}/{options.mebibytes}"
    with tempfile.TemporaryDirectory(dir=PLACES[options.place]) as folder:
        path = Path(folder) / "file"
        # What the cell before has left to be written is not this one's.
        os.sync()
        way = WAYS[options.way](url, path, options.place == "disk")
        task = loop.create_task(seconds_of(way))
        ticks = host.run(host.HOSTS["h60"], lambda: loop.run_ready(BUDGET), LONGEST, task.done)
        if not task.done():
            sys.exit(f"{options.way} has not ended in {LONGEST:.0f} s")
        seconds, size = task.result(), path.stat().st_size
    loop.close()
    if size != options.mebibytes << 20:
        sys.exit(f"{options.way} has brought {size} bytes of {options.mebibytes} MiB")
    return ticks.report() | {"mebibytes_per_second": round(options.mebibytes / seconds, 2)}


async def seconds_of(way: Coroutine[Any, Any, None]) -> float:
    """From its first turn to its last."""
    began = time.perf_counter()
    await way
    return time.perf_counter() - began


async def by_us(url: str, path: Path, _synced: bool) -> None:
    """As an add-on does it from now on."""
    await aiobpy.download(url, path)


async def by_curl(url: str, path: Path, synced: bool) -> None:
    """As an add-on could do it before."""
    if shutil.which("curl") is None:
        sys.exit("curl is not installed; `cargo xtask bench loop` installs it")
    command = f"curl --silent --fail -o '{path}' '{url}'" + (f" && sync '{path}'" if synced else "")
    process = await asyncio.create_subprocess_shell(command)
    if code := await process.wait():
        sys.exit(f"curl has failed with {code}")


WAYS: dict[str, Callable[[str, Path, bool], Coroutine[Any, Any, None]]] = {
    "curl": by_curl,
    "aiobpy": by_us,
}


if __name__ == "__main__":
    main()
