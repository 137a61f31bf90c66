"""What is attacked, and how long a dead worker's job took to begin elsewhere."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chaos.cluster import Cluster
    from tests.chaos.net import Net
    from tests.chaos.node import Node

_PATIENCE: Final = 60.0
"""Seconds for which a dead worker's job is looked for."""


@dataclass
class Stage:
    """All that can be struck.

    Attributes:
        nodes: Those who take jobs on and render them.
        cluster: What they share their jobs by; None for one node that has a queue of its own.
        net: Between nodes and servers; None if they are all in one place.
        disks: Folders that can be filled; the servers' come in their order, after the nodes'.
        has_clocks: Whether nodes have clocks that can be set.
        moves: Seconds from a worker's death to its job's begin on another, of each that had one.
    """

    nodes: list[Node]
    cluster: Cluster | None = None
    net: Net | None = None
    disks: Sequence[Path] = ()
    has_clocks: bool = False
    moves: list[float] = field(default_factory=list)
    _watches: list[threading.Thread] = field(default_factory=list)

    def node(self, chance: random.Random) -> Node:
        """Return one of the nodes."""
        return chance.choice(self.nodes)

    def rest(self, seconds: float) -> None:
        """Let what was done take its effect."""
        time.sleep(seconds)  # under test: how long a blow lasts

    def running(self, node: Node) -> list[Run]:
        """Return what the workers of a node are at."""
        jobs = [worker["job"] for worker in node.workers() if worker["job"]]
        return [run for job in jobs if (run := self._run(node, job))]

    def run_of(self, node: Node, worker: dict[str, Any]) -> Run | None:
        """Return what a worker is at, if it is at something."""
        return self._run(node, worker["job"]) if worker["job"] else None

    def watch(self, run: Run) -> None:
        """Note how long it takes from now until a job begins again."""
        thread = threading.Thread(target=self._watch, args=(run, time.monotonic()), daemon=True)
        thread.start()
        self._watches.append(thread)

    def take_moves(self) -> list[float]:
        """Return what was noted since this was asked last."""
        for thread in self._watches:
            thread.join(_PATIENCE)
        self._watches.clear()
        moves, self.moves = self.moves, []
        return moves

    def _run(self, node: Node, job: str) -> Run | None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            status, answer = node.ask("GET", f"/api/v1/jobs/{job}", seconds=5)
            told = json.loads(answer)
            if status == 200 and told["state"] == "running":
                return Run(job, told["attempt"])
        return None

    def _watch(self, run: Run, struck: float) -> None:
        while time.monotonic() < struck + _PATIENCE:
            for node in self.nodes:
                if not node.up.is_set():
                    continue
                with contextlib.suppress(OSError):
                    seconds = struck + _PATIENCE - time.monotonic()
                    for event in node.events(run.job, max(1.0, seconds)):
                        if event["type"] == "job.started" and event["attempt"] > run.attempt:
                            self.moves.append(time.monotonic() - struck)
                            return
                    # It had come to its end before its worker did.
                    return
            self.nodes[0].up.wait(1)


@dataclass(frozen=True)
class Run:
    """An attempt at a job that is under way."""

    job: str
    attempt: int
