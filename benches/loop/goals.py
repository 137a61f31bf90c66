"""What the comparison is to show, as data, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benches.loop.rows import figures_of
from benches.loop.tables import OURS, best_rival, geometric_means

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benches.loop.rows import Results, Row

HOSTS = ("h60", "idle5", "h60gil")
TIMES_BUDGETED_UVLOOP = {"protocol": 2.5, "streams": 1.5, "tls": 2.0, "aiohttp": 1.0}
TIMES_KICKED_ASYNCIO = {"protocol": 40.0, "streams": 40.0, "tls": 10.0, "aiohttp": 40.0}
"""With a host of 60 Hz: a kicked loop's speed is that of the frames."""
ROUND_TRIPS = {"echo1": 1600.0, "echo100": 40_000.0}
"""A second, with a host of 60 Hz."""
LATENCY_OF_100_MS = 17.0
TICK_P99_MS = 4.3
BUDGET_MS = 4.0
AFTER_BLOCK = {"protocol": 86.0, "streams": 26.0}
"""MiB that are handed over within 0.1 s of the end of the block."""
IDLE_NS = 1000.0
TIMES_CURL = 0.8
ROW_OVER_BEST = 1.1
PLAIN_MODES = ("sockets", "streams", "proto", "buffered")
TLS_MODES = ("tls-streams", "tls-proto")
AT_LEAST_BEST_RIVAL = (
    "call_soon",
    "call_soon_chain",
    "call_soon_threadsafe_flood",
    "timers",
    "create_task_and_await",
    "wake_of_parked_loop",
)
AT_LEAST_ASYNCIO = ("subprocess",)


@dataclass(frozen=True)
class Verdict:
    """A goal and what was measured."""

    name: str
    value: float
    goal: float
    at_least: bool

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def text(self) -> str:
        """As in `2.61 (goal ≥ 2.50)`."""
        sign = "≥" if self.at_least else "≤"
        return f"{_plain(self.value)} (goal {sign} {_plain(self.goal)})"

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "goal": self.name,
            "value": round(self.value, 3),
            "at_least" if self.at_least else "at_most": self.goal,
            "is_met": self.is_met,
        }


def judge(rows: Sequence[Row], results: Results) -> list[Verdict]:
    """The goals for which there are results."""
    by_path = {row.path: row for row in rows}
    return [
        *_guest(by_path, results),
        *_downloads(by_path, results),
        *_alone(rows, results),
        *_micro(by_path, results),
    ]


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """A line each."""
    width = max((len(verdict.name) for verdict in verdicts), default=0)
    for verdict in verdicts:
        print(f"  {'met   ' if verdict.is_met else 'MISSED'} {verdict.name:{width}} ", end="")
        print(verdict.text())


def _guest(rows: dict[str, Row], results: Results) -> Iterator[Verdict]:
    for host in HOSTS:
        for cell, times in TIMES_BUDGETED_UVLOOP.items():
            yield from _times(rows, results, f"guest/{host}/{cell}", "kb:uvloop", times)
        for cell in ROUND_TRIPS if host != "h60" else ():
            yield from _times(rows, results, f"guest/{host}/{cell}", "kb:uvloop", 1.0)
    for cell, times in TIMES_KICKED_ASYNCIO.items():
        yield from _times(rows, results, f"guest/h60/{cell}", "kick:asyncio", times)
    for cell, goal in ROUND_TRIPS.items():
        yield from _most(results, f"guest/h60/{cell}", "per_second", goal, "round trips, /s")
    yield from _least(results, "guest/h60/echo100", "latency.p99_ms", LATENCY_OF_100_MS, "p99, ms")
    for host in HOSTS:
        for cell in (*TIMES_BUDGETED_UVLOOP, *ROUND_TRIPS):
            path = f"guest/{host}/{cell}"
            yield from _least(results, path, "tick.p99_ms", TICK_P99_MS, "tick p99, ms")
            key = "longest_tick_less_callback_ms"
            text = "longest tick less the longest callback, ms"
            yield from _least(results, path, key, BUDGET_MS, text)
            if host != "idle5":
                yield from _least(results, path, "late_frames", 0, "late frames")
        key = "later_than_next_tick"
        yield from _least(results, f"guest/{host}/sleep", key, 0, "later than the next tick")
    for cell, goal in AFTER_BLOCK.items():
        key = "after_block_mebibytes"
        yield from _most(results, f"guest/block/{cell}", key, goal, "within 0.1 s, MiB")
    key = "back_to_back_ns"
    yield from _least(results, "guest/idle/idle", key, IDLE_NS, "called from Python, ns")


def _downloads(rows: dict[str, Row], results: Results) -> Iterator[Verdict]:
    for place in ("memory", "disk"):
        path = f"download/{place}"
        yield from _times(rows, results, path, "curl", TIMES_CURL)
        yield from _least(results, path, "tick.p99_ms", TICK_P99_MS, "tick p99, ms")


def _alone(rows: Sequence[Row], results: Results) -> Iterator[Verdict]:
    chosen = [row for row in rows if row.path.startswith("alone/")]
    for name, modes in (("plain", PLAIN_MODES), ("TLS", TLS_MODES)):
        means = geometric_means(chosen, results, *modes)
        ours = means.pop(OURS, None)
        if ours and means:
            text = f"alone, {name}: geometric mean over the best rival's"
            yield Verdict(text, ours / min(means.values()), 1.0, at_least=False)
    for row in chosen:
        ours, rival = row.best(results[row.path].get(OURS, [])), best_rival(row, results)
        if ours and rival:
            text = f"{row.path}: over the row's best"
            yield Verdict(text, ours / min(ours, rival), ROW_OVER_BEST, at_least=False)


def _micro(rows: dict[str, Row], results: Results) -> Iterator[Verdict]:
    for name in (*AT_LEAST_BEST_RIVAL, *AT_LEAST_ASYNCIO):
        row = rows.get(f"micro/{name}")
        if not row:
            continue
        cells = results[row.path]
        ours = row.best(cells.get(OURS, []))
        rival = (
            row.best(cells.get("asyncio", []))
            if name in AT_LEAST_ASYNCIO
            else best_rival(row, results)
        )
        if ours and rival:
            whose = "stock asyncio" if name in AT_LEAST_ASYNCIO else "the best rival"
            text = f"{row.path}: as fast as {whose}"
            yield Verdict(text, row.lead(ours, rival), 1.0, at_least=True)


def _times(
    rows: dict[str, Row], results: Results, path: str, rival: str, goal: float
) -> Iterator[Verdict]:
    row = rows.get(path)
    if row:
        cells = results[path]
        ours, theirs = row.best(cells.get(OURS, [])), row.best(cells.get(rival, []))
        if ours is not None and theirs is not None:
            times = row.lead(ours, theirs)
            yield Verdict(f"{path}: times {rival}", times, goal, at_least=True)


def _most(results: Results, path: str, key: str, goal: float, text: str) -> Iterator[Verdict]:
    values = _figures(results, path, key)
    if values:
        yield Verdict(f"{path}: {text}", max(values), goal, at_least=True)


def _least(results: Results, path: str, key: str, goal: float, text: str) -> Iterator[Verdict]:
    values = _figures(results, path, key)
    if values:
        yield Verdict(f"{path}: {text}", min(values), goal, at_least=False)


def _figures(results: Results, path: str, key: str) -> list[float]:
    """Of our rounds."""
    return figures_of(results.get(path, {}).get(OURS, []), key)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
