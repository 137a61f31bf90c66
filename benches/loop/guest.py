"""One cell of a guest loop, measured in this process.

python -m benches.loop.guest --driver aiobpy --cell echo1 [--host idle5] [--seconds 4] [--block]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any

from benches.loop import host, peer
from benches.loop.cells import CELLS, Progress, prepare
from benches.loop.drivers import GUESTS, new_guest, settle_allocator
from benches.machine import percentile, spread

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1 << 20
HANDED_OVER_WITHIN = 0.1
SLOW_FROM = 0.001
"""Callbacks that took less, in seconds, are not named in our loop's status."""


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--driver", choices=GUESTS, required=True)
    parser.add_argument("--cell", choices=CELLS, required=True)
    parser.add_argument("--host", choices=host.HOSTS, default="h60")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--block", action="store_true", help="the host blocks for 2 s half-way")
    parser.add_argument("--ports", type=json.loads, help="of a peer that runs; else one is started")
    options = parser.parse_args()
    settle_allocator()
    if options.ports:
        result = measure(options, options.ports)
    else:
        with peer.running() as (_pid, ports):
            result = measure(options, ports)
    print(json.dumps(result), flush=True)
    # What is open is left to the kernel: closing a loop is not measured.
    os._exit(0)


def measure(options: argparse.Namespace, ports: dict[str, int]) -> dict[str, Any]:
    """Run the cell's task in a loop that is ticked by a host."""
    prepare(options.cell)
    loop, tick = new_guest(options.driver)
    asyncio.set_event_loop(loop)
    progress = Progress()
    task = loop.create_task(CELLS[options.cell](ports, progress))
    if options.cell == "idle":
        return measure_idle(tick, task, options.seconds)
    waiting: list[int] = []

    def note_waiting() -> None:
        waiting.append(progress.received_by_socket() - progress.received)

    ticks = host.run(
        host.HOSTS[options.host],
        tick,
        options.seconds,
        task.done,
        after_block=note_waiting if options.block else None,
    )
    now = time.perf_counter()
    if task.done():
        task.result()
    result: dict[str, Any] = ticks.report()
    if options.driver == "aiobpy":
        slowest = json.loads(loop._status())["slowest"]  # type: ignore[attr-defined]
        longest = max((callback["seconds"] for callback in slowest), default=SLOW_FROM)
        result["longest_tick_less_callback_ms"] = (max(ticks.seconds()) - longest) * 1000
    if progress.latencies:
        result["per_second"] = round(len(progress.latencies) / (now - progress.began), 1)
        result["latency"] = spread(progress.latencies)
        result["main_thread_us_each"] = round(ticks.core_seconds * 1e6 / len(progress.latencies), 2)
    if progress.naps:
        result["late"] = spread([max(0.0, woke - due) for due, woke in progress.naps])
        result["naps"] = len(progress.naps)
        result["later_than_next_tick"] = sum(
            not ticks.is_first_after(due, woke) for due, woke in progress.naps
        )
    if progress.received:
        ended = progress.ended if task.done() else now
        mebibytes = progress.received / MEBIBYTE
        result["mebibytes"] = round(mebibytes, 1)
        result["mebibytes_per_second"] = round(mebibytes / (ended - progress.began), 2)
        result["main_thread_us_a_mebibyte"] = round(ticks.core_seconds * 1e6 / mebibytes, 1)
    if ticks.block_ended is not None:
        until = ticks.block_ended + HANDED_OVER_WITHIN
        before = progress.received_until(ticks.block_ended)
        handed_over = progress.received_until(until) - before
        result["after_block_mebibytes"] = round(handed_over / MEBIBYTE, 1)
        result["waiting_mebibytes"] = round(waiting[0] / MEBIBYTE, 1)
    return result


def measure_idle(
    tick: Callable[[], object], task: asyncio.Task[None], seconds: float
) -> dict[str, Any]:
    """A host that ticks 200 times a second; then one tick after the other, as fast as they go."""
    while not task.done():
        tick()
    task.result()
    took = host.run(host.HOSTS["idle5"], tick, seconds, lambda: False).seconds()
    batches = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(1000):
            tick()
        batches.append((time.perf_counter() - began) / 1000)
    return {
        "tick_p50_us": round(percentile(took, 50) * 1e6, 2),
        "tick_p99_us": round(percentile(took, 99) * 1e6, 2),
        "milliseconds_a_second": round(sum(took) / len(took) * 200 * 1000, 3),
        "back_to_back_ns": round(min(batches) * 1e9),
    }


if __name__ == "__main__":
    main()
