"""(b) A download in guest mode, under a host that draws 60 frames a second.

The host does what Blender does: 10 ms of work in C a frame, the GIL held, then a tick of the event
loop, then it waits for the next frame. One loop is ticked with `run_ready(4 ms)`; the other is
stock asyncio, kicked once a tick with `call_soon(stop); run_forever()`, as add-ons do today. Each
cell is a fresh process; the server is in another.

A kicked loop takes most of a minute, so its time is bounded: what it would have needed for the
whole is extrapolated from the speed it had until then, which does not change, and marked as such.

    python -m benches guest_download
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from benches.machine import (
    ROOT,
    ForeignLoad,
    percentile,
    print_table,
    spread,
    verdict,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTES = 256
FRAME = 1 / 60
WORK = 0.010
BUDGET = 0.004
SECONDS_FOR_STOCK = 6.0
GOAL = 20.0
WAYS = ("protocol", "streams", "aiohttp")


@dataclass
class Cell:
    """What one run measured; times in seconds."""

    driver: str
    way: str
    received: int = 0
    seconds: float = 0.0
    ticks: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """MiB a second."""
        return self.received / (1 << 20) / self.seconds

    @property
    def is_complete(self) -> bool:
        """Whether all of it came."""
        return self.received >= MEBIBYTES << 20


def main() -> bool:
    """Run every cell, print the table, write the JSON; return whether the goal is met."""
    rows, cells, ratios = [], [], {}
    for way in WAYS:
        speeds = {}
        for driver in ("stock", "aiobpy"):
            with ForeignLoad() as load:
                cell = run_in_own_process(driver, way)
            speeds[driver] = cell.speed
            whole = MEBIBYTES / cell.speed
            rows.append(
                (
                    f"{way}, {driver}",
                    cell.speed,
                    f"{whole:.1f} s" + ("" if cell.is_complete else " (extrapolated)"),
                    *(f"{value:.2f}" for value in spread(cell.ticks).values()),
                    f"{percentile(cell.late, 99) * 1000:.2f}",
                    f"{max(cell.late) * 1000:.2f}",
                    f"{load.cores:.2f}",
                )
            )
            cells.append(
                {
                    "way": way,
                    "driver": driver,
                    "mebibytes_per_second": round(cell.speed, 2),
                    "received_bytes": cell.received,
                    "measured_seconds": round(cell.seconds, 3),
                    "extrapolated": not cell.is_complete,
                    "seconds_for_all": round(whole, 2),
                    "tick": spread(cell.ticks),
                    "frame_late": spread(cell.late),
                    "foreign_cores": load.cores,
                }
            )
        ratios[way] = round(speeds["aiobpy"] / speeds["stock"], 1)
    print_table(
        f"{MEBIBYTES} MiB over loopback, as a guest of a 60 Hz host with 10 ms of work a frame",
        (
            "way, loop",
            "MiB/s",
            "for all",
            "tick p50 ms",
            "p99",
            "max",
            "frame late p99 ms",
            "max",
            "foreign cores",
        ),
        rows,
    )
    write_json(
        "guest_download",
        {"mebibytes": MEBIBYTES, "cells": cells, "ratios": ratios, "goal_ratio": GOAL},
    )
    met = [
        verdict(f"{way}: times as fast as stock asyncio", ratio, GOAL, at_least=True)
        for way, ratio in ratios.items()
    ]
    return all(met)


def run_in_own_process(driver: str, way: str) -> Cell:
    """Start the server and a host, and read what the host measured."""
    command = [sys.executable, "-m", "benches.download_server", str(MEBIBYTES)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            command = [sys.executable, "-m", "benches.guest_download", driver, way, port]
            host = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            return Cell(**json.loads(host.stdout))
        finally:
            server.kill()


def run_cell(driver: str, way: str, port: int) -> Cell:
    """Draw frames and tick until the download is done, or a stock loop's time is up."""
    cell = Cell(driver, way)
    loop, tick = make_loop(driver)
    work = calibrated_work(WORK)
    download = {"protocol": by_protocol, "streams": by_streams, "aiohttp": by_aiohttp}[way]
    if way == "aiohttp":
        import aiohttp  # noqa: F401  Its import is no part of the first tick.
    asyncio.set_event_loop(loop)
    task = loop.create_task(download(port, cell))
    limit = SECONDS_FOR_STOCK if driver == "stock" else 120.0
    began = frame = time.perf_counter()
    while not task.done() and time.perf_counter() - began < limit:
        work()
        before = time.perf_counter()
        tick()
        after = time.perf_counter()
        cell.ticks.append(after - before)
        cell.late.append(max(0.0, after - frame - FRAME))
        time.sleep(max(0.0, frame + FRAME - after))
        frame = max(frame + FRAME, after)
    cell.seconds = time.perf_counter() - began
    if task.done():
        task.result()
    else:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
    return cell


def make_loop(driver: str) -> tuple[asyncio.AbstractEventLoop, Callable[[], object]]:
    """The loop, and what its host calls once a frame."""
    if driver == "stock":
        stock = asyncio.SelectorEventLoop()

        def kick() -> None:
            stock.call_soon(stock.stop)
            stock.run_forever()

        return stock, kick
    import aiobpy

    ours = aiobpy.EventLoop()
    return ours, lambda: ours.run_ready(BUDGET)


def calibrated_work(seconds: float) -> Callable[[], object]:
    """A call that takes so long in C, with the GIL held, on this machine."""
    modulus, bits = (1 << 1279) - 1, 512

    def work() -> object:
        return pow(3, 1 << bits, modulus)

    while True:
        took = []
        for _ in range(7):
            # Time on the core, so that a busy neighbour does not make it look like more work.
            began = time.thread_time()
            work()
            took.append(time.thread_time() - began)
        if min(took) >= seconds * 0.98:
            return work
        bits = int(bits * min(8.0, max(1.01, seconds / min(took))))


class Counting(asyncio.Protocol):
    """Counts what arrives."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Some came."""
        self.cell.received += len(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """All came."""
        self.done.set_result(None)


REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def by_protocol(port: int, cell: Cell) -> None:
    """The least that an application can do with the bytes."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: Counting(cell), "127.0.0.1", port)
    transport.write(REQUEST)
    await protocol.done


async def by_streams(port: int, cell: Cell) -> None:
    """asyncio's own reader."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    while data := await reader.read(1 << 20):
        cell.received += len(data)
    writer.close()


async def by_aiohttp(port: int, cell: Cell) -> None:
    """What an add-on would use."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as got:
        async for data in got.content.iter_any():
            cell.received += len(data)


if __name__ == "__main__":
    print(json.dumps(asdict(run_cell(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
