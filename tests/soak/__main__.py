"""Soak the event loop: `python -m tests.soak [--cpu-minutes 24] [--connections 10000]`.

Two subjects take turns: a loop that stands alone, and one that is a guest ticked 60 times a second.
Each serves echoes to a peer in another process, which opens connections by the thousand and treats
them badly; in each round the subject also runs out of descriptors once. It fails when an echo is
wrong, when a connection is left behind, when accepting does not go on, or when memory grows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
WAYS = ("alone", "guest")
GROWTH = 1.10
"""More than this times the memory of the middle third of the rounds in the last, and it grows…"""
SLACK = 4.0
"""…unless it is less than so many MiB: allocators keep some."""
DESCRIPTORS_EACH = 2
DESCRIPTORS_BESIDES = 200


@dataclass
class Subject:
    """A process with an event loop in it, and what it said after each round."""

    way: str
    process: subprocess.Popen[str]
    port: int
    rounds: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, way: str) -> Subject:
        """Start it and wait until it listens."""
        command = [sys.executable, "-m", "tests.soak.subject", way]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return cls(way, process, int(process.stdout.readline()))

    def ask(self) -> dict[str, Any]:
        """Have it clean up and say what it holds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("report\n")
        self.process.stdin.flush()
        report: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.rounds.append(report)
        return report

    def complaints(self) -> list[str]:
        """What is wrong with what it has said."""
        found = [
            f"{self.way}: {report['connections']} connections were left behind in round {number}"
            for number, report in enumerate(self.rounds)
            if report["connections"]
        ]
        found += [f"{self.way}: {error}" for report in self.rounds for error in report["errors"]]
        third = len(self.rounds) // 3
        if third:
            found += self._growth("resident_mib", "MiB", GROWTH, SLACK)
            found += self._growth("descriptors", "descriptors", 1.0, 0.0)
        if not any(report["ran_out"] for report in self.rounds):
            found.append(f"{self.way}: never ran out of descriptors, which was to be tried")
        return found

    def _growth(self, key: str, unit: str, factor: float, slack: float) -> list[str]:
        """Compare the last third of the rounds with the one before: the first is to settle in.

        By their medians: memory goes up once and for all when a round has more connections at once
        than any before, which on a busy machine may be late; what leaks goes on growing.
        """
        third = len(self.rounds) // 3
        before, after = (
            statistics.median(report[key] for report in rounds)
            for rounds in (self.rounds[third : 2 * third], self.rounds[2 * third :])
        )
        if after <= before * factor + slack:
            return []
        return [f"{self.way}: {before:.1f} {unit} became {after:.1f}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--cpu-minutes", type=float, default=24.0, help="of all processes together")
    parser.add_argument("--connections", type=int, default=10_000, help="open at the same time")
    options = parser.parse_args(arguments)
    connections = min(options.connections, allowed_connections())
    if connections < options.connections:
        print(f"only {connections} connections: the limit of open files allows no more")
    subjects = [Subject.start(way) for way in WAYS]
    wrong: list[str] = []
    try:
        while not wrong and cpu_minutes(subjects) < options.cpu_minutes:
            for subject in subjects:
                wrong += run_round(subject, connections)
    finally:
        for subject in subjects:
            subject.process.kill()
            subject.process.wait()
    for subject in subjects:
        wrong += subject.complaints()
        memory = [f"{report['resident_mib']:.0f}" for report in subject.rounds]
        print(f"{subject.way}: {len(subject.rounds)} rounds, MiB after each: {' '.join(memory)}")
    print("\n".join(wrong) or "nothing wrong")
    return 1 if wrong else 0


def run_round(subject: Subject, connections: int) -> list[str]:
    """Have a peer treat the subject badly; return what it complains of."""
    command = [sys.executable, "-m", "tests.soak.peer", str(subject.port), str(connections)]
    peer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    report = subject.ask()
    print(
        f"{subject.way}: {peer.stdout.strip()}; {report['resident_mib']:.0f} MiB, "
        f"{report['descriptors']} descriptors, most at once {report['most']}",
        flush=True,
    )
    return [] if peer.returncode == 0 else [f"{subject.way}: the peer failed"]


def cpu_minutes(subjects: list[Subject]) -> float:
    """Processor time of the subjects and of every peer so far."""
    peers = os.times()
    total = peers.children_user + peers.children_system
    for subject in subjects:
        # Fields 14 and 15 of proc(5)'s `stat`, in ticks.
        fields = Path(f"/proc/{subject.process.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total / 60


def allowed_connections() -> int:
    """How many connections the limit of open files allows; it is raised as far as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_EACH * 10_000 + 10 * DESCRIPTORS_BESIDES
    for limit in (max(hard, wanted), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except (ValueError, OSError):
            continue
        soft = limit
        break
    return (soft - DESCRIPTORS_BESIDES) // DESCRIPTORS_EACH


if __name__ == "__main__":
    sys.exit(main())
