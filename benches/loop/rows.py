"""The rows of the comparison: what is run for each, by which loops, and which figure is ranked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benches.loop import alone
from benches.loop.drivers import GUESTS, KICKS, LOOPS, WITHOUT_TLS
from benches.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Results = dict[str, dict[str, list[dict[str, Any]]]]
"""By row and loop: what each round measured."""

RANKED_GUESTS = ("kick:asyncio", "kb:uvloop", "aiobpy")
"""What add-ons do today, the strongest that there is, and ours."""
TRANSFERS = ("protocol", "streams", "tls", "aiohttp")
DOWNLOADERS = ("curl", "aiobpy")
GUEST_CELLS = (*TRANSFERS, "echo1", "echo100", "sleep")
LIMIT = 60.0
"""Seconds after which a cell hangs."""


@dataclass(frozen=True)
class World:
    """What the cells of a run share."""

    ports: dict[str, int]
    certificate: Path
    guest_seconds: float
    alone_seconds: float


@dataclass(frozen=True)
class Row:
    """One row; `path` tells it from all others, as in `guest/h60/protocol`."""

    path: str
    loops: tuple[str, ...]
    figure: str
    is_more_better: bool
    run: Callable[[str, World], dict[str, Any]]

    def rounds(self, loop: str, rounds: int) -> int:
        """How many rounds are worth it: a kick is bound by the frames, and hardly varies."""
        return min(rounds, 2) if loop in KICKS else rounds

    def best(self, cells: Sequence[dict[str, Any]]) -> float | None:
        """The best round; of those in which the machine was otherwise idle, if there are any."""
        quiet = [cell for cell in cells if not is_noisy(cell)]
        values = figures_of(quiet, self.figure) or figures_of(cells, self.figure)
        if not values:
            return None
        return max(values) if self.is_more_better else min(values)

    def lead(self, ours: float, rival: float) -> float:
        """How many times as good as the rival's ours is."""
        if self.is_more_better:
            return ours / rival if rival else float("inf")
        return rival / ours if ours else float("inf")


def is_noisy(cell: dict[str, Any]) -> bool:
    """Whether others used more than 0.3 cores meanwhile."""
    return bool(cell["foreign_cores"] > 0.3)


def figures_of(cells: Sequence[dict[str, Any]], key: str) -> list[float]:
    """A figure, as in `latency.p99_ms`, of the rounds that have it."""
    figures = []
    for cell in cells:
        value: Any = cell
        for part in key.split("."):
            value = value.get(part) if value else None
        if value is not None:
            figures.append(value)
    return figures


def all_rows() -> Iterator[Row]:
    """Every row, in the order of the tables."""
    for cell in GUEST_CELLS:
        yield _guest_row("h60", cell, GUESTS)
    for host in ("idle5", "h60gil"):
        for cell in GUEST_CELLS:
            yield _guest_row(host, cell, RANKED_GUESTS)
    for cell in ("protocol", "streams"):
        yield _guest_row("block", cell, RANKED_GUESTS)
    yield _guest_row("idle", "idle", GUESTS)
    for place in ("memory", "disk"):
        yield _download_row(place)
    for mode, sizes, clients in alone.MATRIX:
        for size in sizes:
            for number in clients:
                yield _alone_row(mode, size, number)
    yield from _micro_rows()


def _guest_row(host: str, cell: str, drivers: tuple[str, ...]) -> Row:
    figure, is_more_better = {
        "sleep": ("late.p99_ms", False),
        "echo1": ("per_second", True),
        "echo100": ("per_second", True),
        "idle": ("tick_p50_us", False),
    }.get(cell, ("mebibytes_per_second", True))
    if host == "block":
        figure = "after_block_mebibytes"
    if cell == "tls":
        drivers = tuple(name for name in drivers if name.split(":")[-1] not in WITHOUT_TLS)
    where = {"block": ["--block"], "idle": []}.get(host, ["--host", host])

    def run(driver: str, world: World) -> dict[str, Any]:
        command = ["benches.loop.guest", "--driver", driver, "--cell", cell, *where]
        seconds = ["--seconds", str(world.guest_seconds)]
        return _json_of([*command, *seconds, "--ports", json.dumps(world.ports)])

    return Row(f"guest/{host}/{cell}", drivers, figure, is_more_better, run)


def _download_row(place: str) -> Row:
    def run(way: str, world: World) -> dict[str, Any]:
        command = ["benches.loop.downloads", "--way", way, "--place", place]
        return _json_of([*command, "--ports", json.dumps(world.ports)])

    return Row(f"download/{place}", DOWNLOADERS, "mebibytes_per_second", True, run)


def _alone_row(mode: str, size: int, clients: int) -> Row:
    def run(loop: str, world: World) -> dict[str, Any]:
        return alone.measure(loop, mode, size, clients, world.alone_seconds, world.certificate)

    loops = tuple(name for name in LOOPS if "tls" not in mode or name not in WITHOUT_TLS)
    path = f"alone/{mode}/{size // 1024}K/{clients}"
    return Row(path, loops, "server_us_per_request", False, run)


def _micro_rows() -> Iterator[Row]:
    from benches.loop import micro

    for name in micro.ROWS:

        def run(loop: str, _world: World, name: str = name) -> dict[str, Any]:
            code = (
                "import json, sys; from benches.loop import micro; "
                "print(json.dumps(micro.measure([sys.argv[1]], [sys.argv[2]], 1)))"
            )
            return {"microseconds": _json_of(code, name, loop)[name][loop] * 1e6}

        yield Row(f"micro/{name}", LOOPS, "microseconds", False, run)


def _json_of(module_and_arguments: Sequence[str] | str, *arguments: str) -> dict[str, Any]:
    """What a Python process prints: of a module, or of code."""
    if isinstance(module_and_arguments, str):
        command = ["-c", module_and_arguments, *arguments]
    else:
        command = ["-m", *module_and_arguments]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
