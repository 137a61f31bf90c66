"""The short form of `cargo xtask chaos`: what needs no disk of its own and no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.blows import ON_NODES, ON_WORKERS
from tests.chaos.node import Node
from tests.chaos.phases import Phase
from tests.chaos.run import LIMITS, Terms, is_good, run
from tests.chaos.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

PHASES = (
    Phase("workers are killed and freeze", ON_WORKERS),
    Phase("jobs misbehave", unruly=("crash", "garbage", "raise", "hang")),
    Phase("the server is killed", ON_NODES),
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_whoever_is_killed(tmp_path: Path) -> None:
    stage = Stage([Node(tmp_path, "--workers", "2", *LIMITS)])
    figures = run(stage, PHASES, Terms(jobs=180, seed=1, rate=12, pause=0.7))
    assert is_good(figures), figures
    assert sum(phase["jobs"] for phase in figures) == 180
    assert set(figures[0]["blows"]) == {"kill_a_worker", "freeze_a_worker"}
