"""The tables of the comparison, for the terminal and for the page."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benches.loop.drivers import GUESTS, LOOPS
from benches.loop.rows import DOWNLOADERS, RANKED_GUESTS, Row, figures_of, is_noisy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benches.loop.rows import Results

OURS = "aiobpy"
CELLS = {
    "protocol": "1 GiB by a protocol, MiB/s",
    "streams": "by streams, MiB/s",
    "tls": "by streams over TLS, MiB/s",
    "aiohttp": "by aiohttp, MiB/s",
    "echo1": "echo on 1 connection, a second",
    "echo100": "echo on 100 connections, a second",
    "sleep": "`sleep(0.02)` late, p99, ms",
}


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of numbers and text."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[object, ...]]


def of(rows: Sequence[Row], results: Results) -> list[Table]:
    """The tables for which there are results."""
    by_path = {row.path: row for row in rows}
    made = [
        guests(by_path, results, "h60", "guest of a 60 Hz host that works 10 ms a frame", GUESTS),
        ticks(by_path, results),
        latencies(by_path, results),
        guests(by_path, results, "idle5", "guest of a host that ticks every 5 ms", RANKED_GUESTS),
        guests(by_path, results, "h60gil", "60 Hz host whose work holds the GIL", RANKED_GUESTS),
        blocked(by_path, results),
        idle(by_path, results),
        downloads(by_path, results),
        alone(by_path, results),
        micro(by_path, results),
    ]
    return [table for table in made if table.rows]


def guests(
    rows: dict[str, Row], results: Results, host: str, title: str, drivers: tuple[str, ...]
) -> Table:
    """Throughput, round trips and lateness of each driver."""
    lines: list[tuple[object, ...]] = []
    for cell, text in CELLS.items():
        row = rows.get(f"guest/{host}/{cell}")
        if row:
            lines.append((text, *figures(row, results, drivers), lead_over(row, results)))
    return Table(title, ("", *drivers, "times the best rival"), lines)


def ticks(rows: dict[str, Row], results: Results) -> Table:
    """What the ticks of the busy cells cost a frame: the best round of each figure."""
    drivers = ("kick:asyncio", "kick:rloop", "kb:uvloop", OURS)
    lines: list[tuple[object, ...]] = []
    for cell, text in CELLS.items():
        if f"guest/h60/{cell}" in rows:
            cells = results[f"guest/h60/{cell}"]
            told = [_tick_text(cells.get(driver, [])) for driver in drivers]
            lines.append((text.split(",")[0], *told))
    title = "tick p99 / longest tick, ms, and late frames, of the best round (60 Hz host)"
    return Table(title, ("", *drivers), lines)


def latencies(rows: dict[str, Row], results: Results) -> Table:
    """Of a round trip, as p50 / p99 in milliseconds."""
    drivers = GUESTS
    lines: list[tuple[object, ...]] = []
    for cell in ("echo1", "echo100"):
        if f"guest/h60/{cell}" in rows:
            cells = results[f"guest/h60/{cell}"]
            told = [
                f"{_least(cells.get(driver, []), 'latency.p50_ms')} / "
                f"{_least(cells.get(driver, []), 'latency.p99_ms')}"
                for driver in drivers
            ]
            lines.append((CELLS[cell].split(",")[0], *told))
    return Table("round trip p50 / p99, ms (60 Hz host)", ("", *drivers), lines)


def blocked(rows: dict[str, Row], results: Results) -> Table:
    """What the host found when it had been blocked for two seconds."""
    lines: list[tuple[object, ...]] = []
    for cell in ("protocol", "streams"):
        row = rows.get(f"guest/block/{cell}")
        if not row:
            continue
        for text, key in (
            ("handed over within 0.1 s of the end, MiB", "after_block_mebibytes"),
            ("received and waiting at the end, MiB", "waiting_mebibytes"),
        ):
            cells = results[row.path]
            told = [_most(cells.get(driver, []), key) for driver in RANKED_GUESTS]
            lines.append((f"{cell}: {text}", *told))
    return Table("a block of 2 s in the middle (60 Hz host)", ("", *RANKED_GUESTS), lines)


def idle(rows: dict[str, Row], results: Results) -> Table:
    """What a tick costs when nothing is ready."""
    lines: list[tuple[object, ...]] = []
    if "guest/idle/idle" in rows:
        cells = results["guest/idle/idle"]
        for text, key in (
            ("200 ticks a second: p50, µs", "tick_p50_us"),
            ("p99, µs", "tick_p99_us"),
            ("of each second, ms", "milliseconds_a_second"),
            ("one after the other: each, ns", "back_to_back_ns"),
        ):
            lines.append((text, *(_least(cells.get(driver, []), key) for driver in GUESTS)))
    title = "an idle tick, with an open connection and 100 far timers"
    return Table(title, ("", *GUESTS), lines)


def downloads(rows: dict[str, Row], results: Results) -> Table:
    """How fast a file comes, and what its ticks cost a frame."""
    lines: list[tuple[object, ...]] = []
    for place in ("memory", "disk"):
        row = rows.get(f"download/{place}")
        if row:
            told = figures(row, results, DOWNLOADERS)
            lines.append((f"to {place}, MiB/s", *told, lead_over(row, results)))
            cells = results[row.path]
            ticked = [_tick_text(cells.get(way, [])) for way in DOWNLOADERS]
            lines.append((f"to {place}: tick p99 / longest, ms, late frames", *ticked, ""))
    return Table("a file of 1 GiB (60 Hz host)", ("", *DOWNLOADERS, "times curl"), lines)


def alone(rows: dict[str, Row], results: Results) -> Table:
    """Server CPU per request, and the geometric mean of each mode."""
    chosen = [row for path, row in rows.items() if path.startswith("alone/")]
    lines: list[tuple[object, ...]] = [
        (row.path[6:], *figures(row, results, LOOPS), lead_over(row, results)) for row in chosen
    ]
    for mode in dict.fromkeys(row.path.split("/")[1] for row in chosen):
        means = geometric_means(chosen, results, mode)
        told = [_number(means.get(loop)) for loop in LOOPS]
        rivals = [value for loop, value in means.items() if loop != OURS]
        ours = means.get(OURS)
        lead = f"{min(rivals) / ours:.2f}" if rivals and ours else "-"
        lines.append((f"{mode}: geometric mean", *told, lead))
    title = "standing alone: µs of the server's processor time per echoed message"
    return Table(title, ("mode/bytes/clients", *LOOPS, "times the best rival"), lines)


def micro(rows: dict[str, Row], results: Results) -> Table:
    """µs an operation."""
    lines: list[tuple[object, ...]] = [
        (path[6:], *figures(row, results, LOOPS, 3), lead_over(row, results))
        for path, row in rows.items()
        if path.startswith("micro/")
    ]
    return Table("one operation, µs", ("", *LOOPS, "times the best rival"), lines)


def geometric_means(rows: Sequence[Row], results: Results, *modes: str) -> dict[str, float]:
    """Of each loop that has a figure in every row of these modes."""
    chosen = [row for row in rows if row.path.split("/")[1] in modes]
    means = {}
    for loop in LOOPS:
        values = [row.best(results[row.path].get(loop, [])) for row in chosen]
        known = [value for value in values if value]
        if known and len(known) == len(chosen):
            means[loop] = statistics.geometric_mean(known)
    return means


def figures(row: Row, results: Results, loops: Sequence[str], digits: int = 2) -> list[str]:
    """The best round of each loop; marked if all were noisy."""
    told = []
    for loop in loops:
        cells = results[row.path].get(loop, [])
        mark = "*" if cells and all(is_noisy(cell) for cell in cells) else ""
        told.append(_number(row.best(cells), digits) + mark)
    return told


def best_rival(row: Row, results: Results) -> float | None:
    """The best figure that is not ours."""
    values = [
        row.best(cells) for loop, cells in results[row.path].items() if loop != OURS and cells
    ]
    known = [value for value in values if value is not None]
    if not known:
        return None
    return max(known) if row.is_more_better else min(known)


def lead_over(row: Row, results: Results) -> str:
    """How many times as good as the best rival's ours is."""
    rival, ours = best_rival(row, results), row.best(results[row.path].get(OURS, []))
    if rival is None or ours is None:
        return "-"
    return f"{row.lead(ours, rival):.2f}"


def _tick_text(cells: Sequence[dict[str, Any]]) -> str:
    late = [cell["late_frames"] for cell in cells if "late_frames" in cell]
    if not late:
        return "-"
    p99, longest = _least(cells, "tick.p99_ms"), _least(cells, "tick.max_ms")
    return f"{p99} / {longest}, {min(late)}"


def _least(cells: Sequence[dict[str, Any]], key: str) -> str:
    return _number(min(figures_of(cells, key), default=None))


def _most(cells: Sequence[dict[str, Any]], key: str) -> str:
    return _number(max(figures_of(cells, key), default=None))


def _number(value: float | None, digits: int = 2) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}f}"
