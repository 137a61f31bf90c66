"""A host that does what Blender does: some work in C, a tick of the event loop, and a wait."""

from __future__ import annotations

import bisect
import collections
import hashlib
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benches.machine import spread

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 2.0
"""How long a host blocks in the middle, in seconds, where it does."""


@dataclass(frozen=True)
class Kind:
    """What a host does; in seconds."""

    frame: float
    work: float
    holds_gil: bool = False


HOSTS = {
    "h60": Kind(frame=1 / 60, work=0.010),
    "idle5": Kind(frame=0.005, work=0.0),
    "h60gil": Kind(frame=1 / 60, work=0.010, holds_gil=True),
}


@dataclass
class Ticks:
    """When ticks began and ended, by `time.perf_counter()`, and how late their frames were."""

    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    core_seconds: float = 0.0
    """What the main thread used in the ticks: this stays true when the machine is busy."""
    block_ended: float | None = None

    def seconds(self) -> list[float]:
        """What each tick took."""
        return [end - begin for begin, end in zip(self.began, self.ended, strict=True)]

    def is_first_after(self, due: float, woke: float) -> bool:
        """Whether what was due then was run by the first tick that began after."""
        index = bisect.bisect_left(self.began, due)
        return index >= len(self.began) or woke <= self.ended[index]

    def report(self) -> dict[str, object]:
        """Tick times in milliseconds, and the frames that were late."""
        return {
            "tick": spread(self.seconds()),
            "frames": len(self.late),
            "late_frames": sum(late > 0 for late in self.late),
            "late_max_ms": round(max(self.late) * 1000, 3),
        }


def run(
    kind: Kind,
    tick: Callable[[], object],
    seconds: float,
    is_done: Callable[[], bool],
    *,
    after_block: Callable[[], object] | None = None,
) -> Ticks:
    """Draw frames and tick until it is done or the time is up.

    With `after_block`, which is called then, the host blocks for two seconds half-way: no tick, and
    the GIL held, as an operator that renders does.
    """
    work = calibrated_work(kind)
    ticks = Ticks()
    block_from = seconds / 2 if after_block else float("inf")
    seconds += BLOCK if after_block else 0.0
    began = frame = time.perf_counter()
    while not is_done() and frame - began < seconds:
        work()
        if after_block and frame - began >= block_from:
            block_from = float("inf")
            _block()
            after_block()
            ticks.block_ended = frame = time.perf_counter()
        core = time.thread_time()
        before = time.perf_counter()
        tick()
        after = time.perf_counter()
        ticks.core_seconds += time.thread_time() - core
        ticks.began.append(before)
        ticks.ended.append(after)
        ticks.late.append(max(0.0, after - frame - kind.frame))
        time.sleep(max(0.0, frame + kind.frame - after))
        frame = max(frame + kind.frame, after)
    return ticks


def calibrated_work(kind: Kind) -> Callable[[], object]:
    """A call that takes the host's time in C on this machine, with or without the GIL."""
    if not kind.work:
        return lambda: None
    run = _count if kind.holds_gil else _hash
    amount = 1 << 20
    # Time on the core, so that a busy neighbour does not make it look like more work.
    took = min(_core_seconds(run, amount) for _ in range(7))
    amount = int(amount * kind.work / took)
    took = min(_core_seconds(run, amount) for _ in range(3))
    amount = int(amount * kind.work / took)
    return lambda: run(amount)


def _block() -> None:
    end = time.perf_counter() + BLOCK
    while time.perf_counter() < end:
        _count(1 << 18)


def _count(times: int) -> None:
    """With the GIL held."""
    collections.deque(itertools.repeat(None, times), maxlen=0)


_NOISE = memoryview(bytes(64 << 20))


def _hash(size: int) -> None:
    """Without the GIL."""
    hashlib.sha256(_NOISE[:size])


def _core_seconds(run: Callable[[int], None], amount: int) -> float:
    began = time.thread_time()
    run(amount)
    return time.thread_time() - began
