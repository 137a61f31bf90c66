"""Runs the rows, the loops taking turns, and prints what came out.

cargo xtask bench loop [--rounds N] [--only PATTERN] [--quick] [--keep] [--strict]
"""

from __future__ import annotations

import argparse
import fnmatch
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.loop import goals, page, peer, tables
from benches.loop.rows import Results, Row, World, all_rows
from benches.machine import ForeignLoad, print_table, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> bool:
    """Run, print, write the JSON; return False if a goal was missed and that counts."""
    options = parse(arguments)
    rows = [row for row in all_rows() if is_chosen(row.path, options.only)]
    if not rows:
        print(f"no row matches `{options.only}`")
        return False
    began = time.monotonic()
    results = run(rows, options)
    seconds = time.monotonic() - began
    made = tables.of(rows, results)
    for table in made:
        print_table(table.title, table.head, table.rows)
    verdicts = goals.judge(rows, results)
    goals.print_verdicts(verdicts)
    print(f"\n  {sum(verdict.is_met for verdict in verdicts)} of {len(verdicts)} goals are met")
    print(f"  {seconds / 60:.1f} minutes")
    write_json(
        "loop",
        {
            "rounds": options.rounds,
            "results": results,
            "goals": [verdict.as_json() for verdict in verdicts],
        },
    )
    if options.keep:
        page.write(made, verdicts, options.rounds)
    return not options.strict or all(verdict.is_met for verdict in verdicts)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; `--quick` is one round."""
    parser = argparse.ArgumentParser(prog="cargo xtask bench loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--only", default="", help="rows such as `alone/proto`, `guest/*/echo1`")
    parser.add_argument("--loops", default="", help="only these, as in `aiobpy,uvloop`")
    parser.add_argument("--seconds", type=float, default=1.2, help="of a guest's cell")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument(
        "--keep", action="store_true", help="write the tables to docs/benchmarks.md"
    )
    parser.add_argument("--strict", action="store_true", help="fail if a goal is missed")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    return options


def is_chosen(path: str, pattern: str) -> bool:
    """Whether a row's path begins with the pattern, which may have wildcards."""
    return fnmatch.fnmatch(path, f"{pattern}*")


def run(rows: Sequence[Row], options: argparse.Namespace) -> Results:
    """Rounds outside, loops inside: what disturbs the machine for a while disturbs all alike."""
    chosen = {name for name in options.loops.split(",") if name}
    results: Results = {row.path: {} for row in rows}
    with tempfile.TemporaryDirectory() as folder, peer.running() as (pid, ports):
        certificate = peer.new_certificate(Path(folder))
        world = World(ports, certificate, options.seconds, 0.7)
        for number in range(options.rounds):
            for row in rows:
                _show(f"round {number + 1} of {options.rounds}: {row.path}")
                for loop in row.loops:
                    if chosen and loop.split(":")[-1] not in chosen:
                        continue
                    if number < row.rounds(loop, options.rounds):
                        cell = run_cell(row, loop, world, pid)
                        results[row.path].setdefault(loop, []).append(cell)
    _show("")
    return results


def run_cell(row: Row, loop: str, world: World, peer_pid: int) -> dict[str, Any]:
    """One round of one loop; a loop that cannot do it has no figure."""
    with ForeignLoad(also=[peer_pid]) as load:
        try:
            cell = row.run(loop, world)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (error.stderr or b"").rstrip().splitlines()[-1:]
            print(f"\n  {row.path} by {loop} failed: {error} {said}")
            cell = {"failed": str(error)}
    cell["foreign_cores"] = load.cores
    return cell


def _show(text: str) -> None:
    """On the last line of a terminal."""
    if sys.stdout.isatty():
        print(f"\r\033[K  {text}" if text else "\r\033[K", end="", flush=True)
