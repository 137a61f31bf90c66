"""Attack a fleet while jobs flow: `python -m tests.chaos [--engine nats] [--jobs 10000] …`.

Each phase submits its share of the jobs while its blows fall, and is audited: no acknowledged job
is lost, none has two ends, and each picture is its own. It ends at the first that is not so.

A full disk, a network that is cut and a clock that jumps need root, iproute2 and faketime; what
cannot be done here is said and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos import report
from tests.chaos.cluster import SERVERS, Cluster
from tests.chaos.net import HERE, Net, NoNetError, net
from tests.chaos.node import Node
from tests.chaos.phases import EMBEDDED, NATS, possible
from tests.chaos.places import NoDiskError, disk, faked_clock
from tests.chaos.run import LIMITS, Terms, is_good, run
from tests.chaos.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NODES = ("one", "two")


def main() -> int:
    """Run all phases; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="of all phases together")
    parser.add_argument("--engine", choices=("embedded", "nats"), default="embedded")
    parser.add_argument("--workers", type=int, default=2, help="of each node")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rate", type=float, default=30.0, help="jobs a second that come in")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two blows")
    parser.add_argument("--only", help="a word of a phase's name")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--report", type=Path, help="a page that they are written into as tables")
    arguments = parser.parse_args()
    if arguments.report and not report.can_be_written(arguments.report, arguments.engine):
        parser.error(f"`{arguments.report}` has no marks for the tables of this engine")
    print(f"seed {arguments.seed}", flush=True)
    terms = Terms(arguments.jobs, arguments.seed, arguments.rate, arguments.pause)
    workers = ("--workers", str(arguments.workers))
    with tempfile.TemporaryDirectory(prefix="aiobpy-chaos-") as name:
        on_nats = arguments.engine == "nats"
        with (nodes_on_nats if on_nats else alone)(Path(name), workers) as stage:
            phases = chosen(NATS if on_nats else EMBEDDED, stage, arguments.only)
            if not phases:
                return 2
            figures = run(stage, phases, terms)
    whole = {"engine": arguments.engine, "seed": arguments.seed, "phases": figures}
    text = report.tables(figures)
    print(f"\n{text}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(whole, indent=2))
    if arguments.report:
        report.write(arguments.report, arguments.engine, text)
    return 0 if is_good(figures) else 1


def chosen(phases: Sequence[Any], stage: Stage, word: str | None) -> list[Any]:
    """Return the phases that are wanted and can be had; say what is left out."""
    wanted = [phase for phase in phases if not word or word in phase.name]
    left = possible(wanted, stage)
    names = {phase.name for phase in left}
    for phase in wanted:
        if phase.name not in names:
            print(f"left out: {phase.name}", flush=True)
    if not left:
        print(f"there is nothing to run; phases: {', '.join(it.name for it in phases)}")
    return left


@contextlib.contextmanager
def alone(folder: Path, workers: Sequence[str]) -> Iterator[Stage]:
    """One node with a queue, a disk and a clock of its own."""
    with contextlib.ExitStack() as stack:
        disks = disks_at(stack, [folder / "node"])
        clock = clock_at(folder / "node")
        node = Node(folder / "node", *workers, *LIMITS, environment=clock)
        yield Stage([node], disks=disks, has_clocks=bool(clock))


@contextlib.contextmanager
def nodes_on_nats(folder: Path, workers: Sequence[str]) -> Iterator[Stage]:
    """Two nodes that share their jobs through three NATS servers, each a machine of its own."""
    with contextlib.ExitStack() as stack:
        folders = [folder / name for name in _NODES]
        stores = [folder / f"engine/aiobpy-{number}" for number in (1, 2, 3)]
        disks = disks_at(stack, [*folders, *stores])
        cables = net_of(stack)
        machines = cables.machines if cables else {}
        servers = [machines.get(name, HERE) for name in SERVERS]
        cluster = stack.enter_context(contextlib.closing(Cluster(folder / "engine", servers)))
        shared = ("--engine", cluster.engine, "--lease", "5", *workers, *LIMITS)
        clocks = [clock_at(folder) for folder in folders]
        nodes = [
            Node(
                folder / name,
                *(*shared, "--node", name),
                environment=clock,
                machine=machines.get(name, HERE),
            )
            for name, clock in zip(_NODES, clocks, strict=True)
        ]
        yield Stage(nodes, cluster, cables, disks, has_clocks=all(clocks))


def disks_at(stack: contextlib.ExitStack, folders: Sequence[Path]) -> list[Path]:
    """Make each folder a small disk; none if that is not allowed."""
    try:
        return [stack.enter_context(disk(folder)) for folder in folders]
    except NoDiskError as error:
        print(f"no disk gets full: {error}", flush=True)
        return []


def net_of(stack: contextlib.ExitStack) -> Net | None:
    """Make a network, if that is allowed."""
    try:
        cables = stack.enter_context(net((*_NODES, *SERVERS)))
    except NoNetError as error:
        print(f"no network is cut or slow: {error}", flush=True)
        return None
    print(f"a slow network is one of: tc qdisc … {' '.join(cables.slowness)}", flush=True)
    return cables


def clock_at(folder: Path) -> dict[str, str]:
    """Give a node a clock of its own, if there is one."""
    folder.mkdir(exist_ok=True)
    try:
        return faked_clock(folder)
    except FileNotFoundError as error:
        print(f"no clock jumps: {error}", flush=True)
        return {}


if __name__ == "__main__":
    raise SystemExit(main())
