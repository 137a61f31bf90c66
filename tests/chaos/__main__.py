"""Attack a fleet while jobs flow: `python -m tests.chaos [--jobs 10000] [--seed N] [--only WORD]`.

Each phase submits its share of the jobs while its blows fall, and is audited: no acknowledged job
is lost, none has two ends, and each picture is its own. It fails at the first that is not so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from tests.chaos.phases import EMBEDDED
from tests.chaos.places import Disk, faked_clock
from tests.chaos.run import run


def main() -> int:
    """Run all phases; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="of all phases together")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rate", type=float, default=30.0, help="jobs a second that come in")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two blows")
    parser.add_argument("--only", help="a word of a phase's name")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    phases = [phase for phase in EMBEDDED if not arguments.only or arguments.only in phase.name]
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="aiobpy-chaos-") as folder, Disk(Path(folder)) as disk:
        figures = run(
            disk.folder,
            phases,
            jobs=arguments.jobs,
            workers=arguments.workers,
            seed=arguments.seed,
            rate=arguments.rate,
            pause=arguments.pause,
            environment=faked_clock(disk.folder),
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
