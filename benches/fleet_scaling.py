"""What 1, 2, 4 and 8 nodes get done together, through three NATS servers.

Each node is an `aiobpy serve` with one worker, in a network of its own where this process may make
such (as root). Its jobs render nothing and compute nothing: they wait for a while, as for a
graphics card. So the nodes' work takes no time of the processors that they share, and what is left
is the fleet's: it grows with the nodes until the processors are full of it, which the table shows.

    python -m benches fleet_scaling
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benches.machine import busy_seconds
from benches.page import Findings
from tests.chaos.cluster import SERVERS, Cluster
from tests.chaos.net import HERE, Machine, NoNetError, net
from tests.chaos.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS: Final = (1, 2, 4, 8)
JOB_SECONDS: Final = 0.25
SECONDS: Final = 12.0
"""For which there is work, at each number of nodes."""
GOAL: Final = 0.9
FULL: Final = 0.9
"""The share of the processors' time from which on they are full."""
TEMPLATE: Final = '''import time

import aiobpy


@aiobpy.template(formats=["json"], between_jobs="keep")
def wait(number: int, seconds: float) -> dict[str, int]:
    """Compute nothing for a while."""
    time.sleep(seconds)
    return {"number": number}
'''


def main(is_kept: bool = False) -> bool:
    """Measure each number of nodes, print the table; return whether the goal is met."""
    found = Findings("fleet_scaling", is_kept)
    points: list[dict[str, Any]] = []
    with fleet() as nodes:
        for count in COUNTS:
            while len(nodes.running) < count:
                nodes.add()
            points.append(measure(nodes.running))
    alone = points[0]["jobs_per_second"]
    rows = []
    for point in points:
        point["of_linear"] = point["jobs_per_second"] / alone / point["nodes"]
        cells = (f"{point['jobs_per_second']:.2f}", f"{point['of_linear']:.2f}")
        rows.append((point["nodes"], *cells, f"{point['busy']:.0%}"))
    head = ("nodes", "jobs a second", "of linear", "processors busy")
    found.table(f"jobs that wait for {JOB_SECONDS * 1000:.0f} ms, through NATS", head, rows)
    for point in points[1:]:
        if point["busy"] < FULL:
            name = f"{point['nodes']} nodes: of linear"
            found.goal(name, point["of_linear"], GOAL, at_least=True)
    return found.close({"points": points, "job_seconds": JOB_SECONDS})


class Nodes:
    """Nodes that share their jobs.

    Attributes:
        running: Those that were started.
    """

    def __init__(self, folder: Path, engine: str, machines: dict[str, Machine]) -> None:
        self.running: list[Node] = []
        self._folder, self._engine, self._machines = folder, engine, machines
        self._template = folder / "wait.py"
        self._template.write_text(TEMPLATE)

    def add(self) -> None:
        """Start one more, and wait until its worker is warm."""
        name = name_of(len(self.running))
        node = Node(
            self._folder / name,
            *("--engine", self._engine, "--node", name, "--workers", "1"),
            *("--max-waiting", "100000"),
            machine=self._machines.get(name, HERE),
            templates=self._template,
        )
        self.running.append(node)
        node.wait_until_ready(workers=len(self.running))


@contextlib.contextmanager
def fleet() -> Iterator[Nodes]:
    """Three NATS servers, and room for nodes, each in a network of its own if that is allowed."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiobpy-bench-")))
        machines: dict[str, Machine] = {}
        try:
            names = (*(name_of(place) for place in range(COUNTS[-1])), *SERVERS)
            machines = stack.enter_context(net(names)).machines
        except NoNetError as error:
            print(f"all nodes are in one network: {error}")
        servers = [machines.get(name, HERE) for name in SERVERS]
        cluster = stack.enter_context(contextlib.closing(Cluster(folder / "engine", servers)))
        nodes = Nodes(folder, cluster.engine, machines)
        try:
            yield nodes
        finally:
            for node in nodes.running:
                node.kill()


def measure(nodes: list[Node]) -> dict[str, Any]:
    """Give them work, and count what is done once it flows and before it ends."""
    count = int(len(nodes) * SECONDS / JOB_SECONDS)
    ends: list[float] = []
    busy: dict[int, float] = {}
    marks = (count // 10, count * 9 // 10)
    following = threading.Event()

    def follow() -> None:
        for event in nodes[0].follow("/api/v1/events?topics=job", 60, following.set):
            if event["type"] != "job.finished":
                continue
            ends.append(time.perf_counter())
            if len(ends) in marks:
                busy[len(ends)] = busy_seconds()
            if len(ends) == count:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    following.wait(60)
    for number in range(count):
        job = {"template": "wait", "params": {"number": number, "seconds": JOB_SECONDS}}
        status, answer = nodes[0].ask("POST", "/api/v1/jobs", job)
        if status != 202:
            raise RuntimeError(f"the job was answered with {status}: {json.loads(answer)}")
    follower.join()
    first, last = marks
    seconds = ends[last - 1] - ends[first - 1]
    return {
        "nodes": len(nodes),
        "jobs_per_second": (last - first) / seconds,
        "busy": (busy[last] - busy[first]) / seconds / (os.cpu_count() or 1),
    }


def name_of(place: int) -> str:
    """Of a node, counted from 0."""
    return f"node-{place + 1}"


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
