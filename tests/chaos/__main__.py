"""Attack a fleet while jobs flow: `python -m tests.chaos [--engine nats] [--jobs 10000] …`.

Each phase submits its share of the jobs while its blows fall, and is audited: no acknowledged job
is lost, none has two ends, and each picture is its own. It fails at the first that is not so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.cluster import Cluster
from tests.chaos.node import Node
from tests.chaos.phases import EMBEDDED, NATS
from tests.chaos.places import Disk, faked_clock
from tests.chaos.run import LIMITS, Terms, run
from tests.chaos.sabotage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.phases import Phase


def main() -> int:
    """Run all phases; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="of all phases together")
    parser.add_argument("--engine", choices=("embedded", "nats"), default="embedded")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rate", type=float, default=30.0, help="jobs a second that come in")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two blows")
    parser.add_argument("--only", help="a word of a phase's name")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    all_phases = NATS if arguments.engine == "nats" else EMBEDDED
    phases = [phase for phase in all_phases if not arguments.only or arguments.only in phase.name]
    terms = Terms(arguments.jobs, arguments.seed, arguments.rate, arguments.pause)
    workers = ("--workers", str(arguments.workers))
    with tempfile.TemporaryDirectory(prefix="aiobpy-chaos-") as name:
        play = on_nats if arguments.engine == "nats" else alone
        figures = play(Path(name), phases, terms, workers)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))
    return 0


def alone(
    folder: Path, phases: Sequence[Phase], terms: Terms, workers: Sequence[str]
) -> dict[str, Any]:
    """One node with a queue, a disk and a clock of its own."""
    with Disk(folder) as disk:
        clock = faked_clock(disk.folder)
        return run(Stage([Node(disk.folder, *workers, *LIMITS, environment=clock)]), phases, terms)


def on_nats(
    folder: Path, phases: Sequence[Phase], terms: Terms, workers: Sequence[str]
) -> dict[str, Any]:
    """Two nodes that share their jobs through three NATS servers."""
    with Cluster(folder / "engine") as cluster:
        shared = ("--engine", cluster.engine, "--lease", "5", *workers, *LIMITS)
        nodes = [Node(folder / name, *shared, "--node", name) for name in ("one", "two")]
        return run(Stage(nodes, cluster), phases, terms)


if __name__ == "__main__":
    raise SystemExit(main())
