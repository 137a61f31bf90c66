"""What every benchmark needs: statistics, a table, JSON, and how busy the machine was otherwise."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "bench"


class ForeignLoad:
    """How many cores' worth of work others did meanwhile: with much of it, trust ratios only.

    Processes of ours count as ours if they are this one, or have ended and been waited for, or are
    named by `also`.
    """

    def __init__(self, also: Iterable[int] = ()) -> None:
        """`also`: process ids that go on running and are ours."""
        self.cores = 0.0
        self._also = tuple(also)

    def __enter__(self) -> Self:
        self._began, self._busy, self._own = time.monotonic(), busy_seconds(), self._own_seconds()
        return self

    def __exit__(self, *_exception: object) -> None:
        busy, own = busy_seconds() - self._busy, self._own_seconds() - self._own
        self.cores = round(max(0.0, busy - own) / (time.monotonic() - self._began), 2)

    def _own_seconds(self) -> float:
        used = os.times()
        mine = used.user + used.system + used.children_user + used.children_system
        return mine + sum(_seconds_of_tree(pid) for pid in self._also)


def busy_seconds() -> float:
    """Of all cores together, since boot; without what they waited."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (int(field) for field in fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and worst, in milliseconds."""
    return {
        "p50_ms": round(statistics.median(seconds) * 1000, 3),
        "p99_ms": round(percentile(seconds, 99) * 1000, 3),
        "max_ms": round(max(seconds) * 1000, 3),
    }


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a title, numbers to the right."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}\n")
    for index, row in enumerate(cells):
        parts = [
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(parts).rstrip())
        if index == 0:
            print("  " + "  ".join("─" * width for width in widths))
    print(flush=True)


def write_json(name: str, result: dict[str, Any]) -> Path:
    """Write a benchmark's result, with what it ran on, and return where."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    about = {
        "benchmark": name,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
    }
    path.write_text(json.dumps(about | result, indent=2) + "\n")
    print(f"  {path.relative_to(ROOT)}")
    return path


def keep(page: Path, command: str, text: str) -> None:
    """Put `text` into a page, between the two marks that name the command that writes it."""
    begin, end = (
        f"<!-- written by `cargo xtask {command} --keep`: from here -->",
        "<!-- to here -->",
    )
    before, rest = page.read_text().split(begin)
    _old, after = rest.split(end, maxsplit=1)
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")
    print(f"  {page.relative_to(ROOT)}")


def verdict(name: str, value: float, goal: float, *, at_least: bool) -> bool:
    """Say whether a goal is met, and return it."""
    is_met = value >= goal if at_least else value <= goal
    sign = "≥" if at_least else "≤"
    print(f"  {'met' if is_met else 'NOT MET'}: {name}: {value:g} (goal {sign} {goal:g})")
    return is_met


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


def _seconds_of_tree(pid: int) -> float:
    """What a process, its children that run and those that ended have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        # Any thread may have started a process.
        threads = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for thread in threads for child in thread.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(
        _seconds_of_tree(int(child)) for child in children
    )


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
