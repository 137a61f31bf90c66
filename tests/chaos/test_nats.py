"""The short form of `cargo xtask chaos` for nodes that share their jobs through NATS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.node import Node
from tests.chaos.phases import Phase
from tests.chaos.run import LIMITS, Terms, run
from tests.chaos.sabotage import (
    Stage,
    freeze_the_server,
    kill_a_nats_server,
    kill_a_worker,
    kill_the_server,
)

if TYPE_CHECKING:
    from pathlib import Path

PHASES = (
    Phase("nodes and workers are killed", (kill_a_worker, kill_the_server, freeze_the_server)),
    Phase("NATS servers are killed", (kill_a_nats_server,)),
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_when_nodes_workers_and_nats_servers_are_killed(tmp_path: Path) -> None:
    with Cluster(tmp_path / "engine") as cluster:
        shared = ("--engine", cluster.engine, "--lease", "5", "--workers", "1", *LIMITS)
        nodes = [Node(tmp_path / name, *shared, "--node", name) for name in ("one", "two")]
        terms = Terms(jobs=100, seed=1, rate=6, pause=1.0)
        figures = run(Stage(nodes, cluster), PHASES, terms)
    assert sum(figures[phase.name]["jobs"] for phase in PHASES) == 100
    assert all(figures[phase.name]["blows"] for phase in PHASES)
