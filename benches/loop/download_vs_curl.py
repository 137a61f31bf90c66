"""`aiobpy.download` against curl, file for file, both under a host that draws 60 frames a second.

The host works for 10 ms a frame and ticks the loop for 4 ms at most. curl runs beside it, started
by the same loop, as an add-on would start it. Rounds are interleaved, and the best of each counts:
to memory (`/dev/shm`), where nothing but the way of the bytes is measured, and to the disk, where
curl is followed by `sync FILE`, as ours is on the disk when it ends.

    python -m benches.loop.download_vs_curl [--mebibytes 1024] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiobpy
from benches.loop import host, peer
from benches.machine import ForeignLoad, print_table, spread, verdict, write_json

if TYPE_CHECKING:
    from collections.abc import Coroutine

GOAL = 0.8
MEMORY = Path("/dev/shm")
LONGEST = 300.0


def main() -> bool:
    """Measure, print and write; return whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if shutil.which("curl") is None:
        sys.exit("curl is not installed: `apt-get install curl`")
    rows, cells, met = [], [], []
    loop = aiobpy.EventLoop()
    with peer.running() as (_pid, ports):
        url = f"http://127.0.0.1:{ports['plain']}/{options.mebibytes}"
        for place, folder in (("memory", MEMORY), ("disk", Path(tempfile.gettempdir()))):
            best = {}
            measured = rounds(loop, url, folder, place == "disk", options.rounds)
            for way, runs in measured.items():
                best[way] = min(run["seconds"] for run in runs)
                fastest = min(runs, key=lambda run: run["seconds"])
                tick = fastest["tick"]
                rows.append(
                    (
                        f"{way}, to {place}",
                        options.mebibytes / best[way],
                        *(f"{tick[key]:.2f}" for key in ("p50_ms", "p99_ms", "max_ms")),
                        fastest["late_frames"],
                        f"{fastest['foreign_cores']:.2f}",
                    )
                )
                cells.append({"way": way, "place": place, "runs": runs})
            ratio = round(best["curl"] / best["aiobpy"], 2)
            met.append(verdict(f"to {place}: times as fast as curl", ratio, GOAL, at_least=True))
    loop.close()
    print_table(
        f"{options.mebibytes} MiB over loopback to a file, best of {options.rounds}, under a host"
        " of 60 Hz with 10 ms of work a frame",
        ("way", "MiB/s", "tick p50 ms", "p99", "max", "late frames", "foreign cores"),
        rows,
    )
    write_json("download_vs_curl", {"mebibytes": options.mebibytes, "cells": cells, "goal": GOAL})
    return all(met)


def rounds(
    loop: aiobpy.EventLoop, url: str, folder: Path, synced: bool, count: int
) -> dict[str, list[dict[str, Any]]]:
    """Measure each way in turn, so often."""
    measured: dict[str, list[dict[str, Any]]] = {"curl": [], "aiobpy": []}
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "file"
        for _ in range(count):
            measured["curl"].append(measure(loop, by_curl(url, path, synced)))
            path.unlink()
            measured["aiobpy"].append(measure(loop, by_us(url, path)))
            path.unlink()
    return measured


def measure(loop: aiobpy.EventLoop, way: Coroutine[Any, Any, None]) -> dict[str, Any]:
    """Run it as a guest, and say what it and the host's frames took."""
    asyncio.set_event_loop(loop)
    # What the run before has left to be written is not this one's.
    os.sync()
    task = loop.create_task(timed(way))
    with ForeignLoad() as load:
        ticks = host.run(host.HOSTS["h60"], loop.run_ready, LONGEST, task.done)
    return {
        "seconds": task.result(),
        "tick": spread(ticks.seconds()),
        "late_frames": sum(late > 0 for late in ticks.late),
        "foreign_cores": load.cores,
    }


async def timed(way: Coroutine[Any, Any, None]) -> float:
    """Seconds from its first turn to its last."""
    began = time.perf_counter()
    await way
    return time.perf_counter() - began


async def by_us(url: str, path: Path) -> None:
    """As an add-on does it from now on."""
    await aiobpy.download(url, path)


async def by_curl(url: str, path: Path, synced: bool) -> None:
    """As an add-on could do it before."""
    command = f"curl --silent --fail -o '{path}' '{url}'" + (f" && sync '{path}'" if synced else "")
    process = await asyncio.create_subprocess_shell(command)
    if await process.wait() != 0:
        sys.exit("curl has failed")


if __name__ == "__main__":
    sys.exit(not main())
