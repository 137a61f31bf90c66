"""What a callback, a timer, a task, a wake-up and an idle tick cost, loop against loop.

Every row is a function that is given a new loop and returns the seconds that one operation took: of
the process's time on a core where nothing is waited for (a busy neighbour does not count then),
else of the clock on the wall. The loops take turns, row by row and round by round, in this one
process; the best round counts.

    python -m benches.loop.micro [--rounds N] [--loops aiobpy,rloop] [ROW…]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import statistics
import threading
import time
from typing import TYPE_CHECKING

from benches.machine import ForeignLoad, print_table, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Loop = asyncio.AbstractEventLoop
    Row = Callable[[Loop], float]

OURS = "aiobpy"
RIVALS = ("asyncio", "uvloop", "rloop")
ROUNDS = 5


def call_soon(loop: Loop, count: int = 200_000) -> float:
    """Callbacks that are all queued first and then run in one turn."""
    began = time.process_time()
    for _ in range(count):
        loop.call_soon(_nothing)
    loop.call_soon(loop.stop)
    loop.run_forever()
    return (time.process_time() - began) / count


def call_soon_chain(loop: Loop, count: int = 200_000) -> float:
    """A callback that schedules itself: one callback a turn."""
    left = count

    def again() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(again)
        else:
            loop.stop()

    loop.call_soon(again)
    began = time.process_time()
    loop.run_forever()
    return (time.process_time() - began) / count


def call_soon_threadsafe_flood(loop: Loop, count: int = 200_000) -> float:
    """One other thread schedules as fast as it can while the loop runs."""

    def flood() -> None:
        for _ in range(count):
            loop.call_soon_threadsafe(_nothing)
        loop.call_soon_threadsafe(loop.stop)

    flooding = threading.Thread(target=flood)
    loop.call_soon(flooding.start)
    began = time.perf_counter()
    loop.run_forever()
    seconds = time.perf_counter() - began
    flooding.join()
    return seconds / count


def call_soon_threadsafe_own(loop: Loop, count: int = 200_000) -> float:
    """The same from the loop's own thread, all queued first: no wake-up and no other thread."""
    began = time.process_time()
    for _ in range(count):
        loop.call_soon_threadsafe(_nothing)
    loop.call_soon(loop.stop)
    loop.run_forever()
    return (time.process_time() - began) / count


def timers(loop: Loop, count: int = 100_000) -> float:
    """Timers of which every second is cancelled; the rest run."""
    began = time.process_time()
    handles = [loop.call_later(0.001 * (index % 7), _nothing) for index in range(count)]
    for handle in handles[::2]:
        handle.cancel()
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    return (time.process_time() - began) / count


def call_later_and_cancel(loop: Loop, count: int = 100_000) -> float:
    """A time-out that is set and never needed, as for every message of a connection."""

    seconds = 0.0

    def main() -> None:
        nonlocal seconds
        began = time.process_time()
        for _ in range(count):
            loop.call_later(60.0, _nothing).cancel()
        seconds = time.process_time() - began
        loop.stop()

    loop.call_soon(main)
    loop.run_forever()
    return seconds / count


def create_task_and_await(loop: Loop, count: int = 30_000) -> float:
    """A task that does nothing, made and awaited."""

    async def nothing() -> None:
        pass

    async def main() -> float:
        began = time.process_time()
        for _ in range(count):
            await loop.create_task(nothing())
        return (time.process_time() - began) / count

    return loop.run_until_complete(main())


def gather_of_sleeps(loop: Loop, count: int = 20) -> float:
    """A thousand tasks at a time that give way once; per task."""

    async def main() -> float:
        began = time.process_time()
        for _ in range(count):
            await asyncio.gather(*[asyncio.sleep(0) for _ in range(1000)])
        return (time.process_time() - began) / (count * 1000)

    return loop.run_until_complete(main())


def future_round_trip(loop: Loop, count: int = 50_000) -> float:
    """A future that is made, resolved by a callback and awaited."""

    async def main() -> float:
        began = time.process_time()
        for _ in range(count):
            future: asyncio.Future[None] = loop.create_future()
            loop.call_soon(future.set_result, None)
            await future
        return (time.process_time() - began) / count

    return loop.run_until_complete(main())


def run_in_executor(loop: Loop, count: int = 5_000) -> float:
    """To a thread of the default executor and back."""

    async def main() -> float:
        for _ in range(10):
            await loop.run_in_executor(None, _nothing)
        began = time.perf_counter()
        for _ in range(count):
            await loop.run_in_executor(None, _nothing)
        seconds = time.perf_counter() - began
        await loop.shutdown_default_executor()
        return seconds / count

    return loop.run_until_complete(main())


def wake_of_parked_loop(loop: Loop, count: int = 2_000) -> float:
    """From `call_soon_threadsafe` in another thread to the callback; the median."""
    seen: list[float] = []
    ran = threading.Event()

    def woken(called: float) -> None:
        seen.append(time.perf_counter() - called)
        ran.set()

    def wake() -> None:
        for _ in range(count):
            ran.clear()
            # Long enough for the loop to park again: it has nothing to do.
            time.sleep(50e-6)
            loop.call_soon_threadsafe(woken, time.perf_counter())
            ran.wait()
        loop.call_soon_threadsafe(loop.stop)

    waking = threading.Thread(target=wake)
    loop.call_soon(waking.start)
    loop.run_forever()
    waking.join()
    return statistics.median(seen)


def ping_pong_of_threads(loop: Loop, count: int = 5_000) -> float:
    """A parked loop and a thread that wait for each other in turn; per wake-up of the loop."""
    ran = threading.Semaphore(0)

    def ping() -> None:
        for _ in range(count):
            loop.call_soon_threadsafe(ran.release)
            ran.acquire()
        loop.call_soon_threadsafe(loop.stop)

    pinging = threading.Thread(target=ping)
    loop.call_soon(pinging.start)
    began = time.perf_counter()
    loop.run_forever()
    seconds = time.perf_counter() - began
    pinging.join()
    return seconds / count


def subprocess(loop: Loop, count: int = 40) -> float:
    """A child that copies its standard input to its standard output: spawn and communicate."""

    async def main() -> float:
        began = time.perf_counter()
        for _ in range(count):
            child = await asyncio.create_subprocess_exec(
                "/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await child.communicate(b"hello")
            assert out == b"hello"
        return (time.perf_counter() - began) / count

    return loop.run_until_complete(main())


def idle_tick(loop: Loop, count: int = 50_000) -> float:
    """A guest's tick when nothing is ready; of the others, `call_soon(stop)` and a run."""
    for _ in range(100):
        loop.call_later(3600.0, _nothing)
    tick = _tick_of(loop)
    tick()
    began = time.process_time()
    for _ in range(count):
        tick()
    return (time.process_time() - began) / count


ROWS: dict[str, Row] = {
    row.__name__: row
    for row in (
        call_soon,
        call_soon_chain,
        call_soon_threadsafe_flood,
        call_soon_threadsafe_own,
        timers,
        call_later_and_cancel,
        create_task_and_await,
        gather_of_sleeps,
        future_round_trip,
        run_in_executor,
        wake_of_parked_loop,
        ping_pong_of_threads,
        subprocess,
        idle_tick,
    )
}


def measure(
    rows: Sequence[str], loops: Sequence[str], rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """Seconds per operation, by row and loop: the best of `rounds` interleaved rounds."""
    factories = {name: loop_factory(name) for name in loops}
    best: dict[str, dict[str, float]] = {}
    for row in rows:
        seen: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(rounds):
            for name, factory in factories.items():
                gc.collect()
                loop = factory()
                asyncio.set_event_loop(loop)
                seen[name].append(ROWS[row](loop))
                asyncio.set_event_loop(None)
                loop.close()
        best[row] = {name: min(seconds) for name, seconds in seen.items()}
    return best


def loop_factory(name: str) -> Callable[[], Loop]:
    """What makes a new loop of the package `name`."""
    kinds = {
        OURS: "EventLoop",
        "asyncio": "SelectorEventLoop",
        "uvloop": "Loop",
        "rloop": "new_event_loop",
    }
    factory: Callable[[], Loop] = getattr(importlib.import_module(name), kinds[name])
    return factory


def main(arguments: Sequence[str] | None = None) -> bool:
    """Print and keep the table; return whether no row is behind its best rival."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--loops", default=",".join((OURS, *RIVALS)))
    chosen = parser.parse_args(arguments)
    loops = chosen.loops.split(",")
    with ForeignLoad() as load:
        best = measure(chosen.rows or list(ROWS), loops, chosen.rounds)
    ratios = {row: _lead(seconds) for row, seconds in best.items()}
    print_table(
        f"one operation, µs; best of {chosen.rounds} interleaved; foreign cores {load.cores:.2f}",
        ("row", *loops, "best rival ÷ ours"),
        [
            (row, *(f"{seconds[name] * 1e6:,.3f}" for name in loops), f"{ratios[row]:.2f}")
            for row, seconds in best.items()
        ],
    )
    write_json(
        "loop_micro",
        {
            "seconds_per_operation": best,
            "best_rival_over_ours": ratios,
            "foreign_cores": load.cores,
        },
    )
    return all(ratio >= 1.0 for ratio in ratios.values())


def _lead(seconds: dict[str, float]) -> float:
    rivals = [value for name, value in seconds.items() if name != OURS]
    return min(rivals, default=float("nan")) / seconds.get(OURS, float("nan"))


def _tick_of(loop: Loop) -> Callable[[], object]:
    run_ready: Callable[[], object] | None = getattr(loop, "run_ready", None)
    if run_ready is not None:
        return run_ready

    def kick() -> None:
        loop.call_soon(loop.stop)
        loop.run_forever()

    return kick


def _nothing() -> None:
    pass


if __name__ == "__main__":
    main()
