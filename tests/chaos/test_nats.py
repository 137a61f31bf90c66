"""The short form of `cargo xtask chaos` for nodes that share their jobs through NATS."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.chaos.blows import ON_NODES, kill_a_nats_server, kill_a_worker, kill_the_nats_leader
from tests.chaos.cluster import Cluster
from tests.chaos.node import Node
from tests.chaos.phases import Phase
from tests.chaos.run import LIMITS, Terms, is_good, run
from tests.chaos.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

PHASES = (
    Phase("nodes and workers are killed", (kill_a_worker, *ON_NODES)),
    Phase("NATS servers are killed", (kill_a_nats_server, kill_the_nats_leader)),
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_when_nodes_workers_and_nats_servers_are_killed(tmp_path: Path) -> None:
    with contextlib.closing(Cluster(tmp_path / "engine")) as cluster:
        shared = ("--engine", cluster.engine, "--lease", "5", "--workers", "1", *LIMITS)
        nodes = [Node(tmp_path / name, *shared, "--node", name) for name in ("one", "two")]
        terms = Terms(jobs=100, seed=1, rate=6, pause=1.0)
        figures = run(Stage(nodes, cluster), PHASES, terms)
    assert is_good(figures), figures
    assert sum(phase["jobs"] for phase in figures) == 100
    assert all(len(phase["blows"]) > 1 for phase in figures)
