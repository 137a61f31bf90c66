"""The short form of `cargo xtask chaos`: what needs no disk of its own and no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.node import Node
from tests.chaos.phases import Phase
from tests.chaos.run import LIMITS, Terms, run
from tests.chaos.sabotage import (
    Stage,
    freeze_a_worker,
    freeze_the_server,
    kill_a_worker,
    kill_the_server,
)

if TYPE_CHECKING:
    from pathlib import Path

PHASES = (
    Phase("workers are killed and freeze", (kill_a_worker, freeze_a_worker)),
    Phase("jobs misbehave", unruly=("crash", "garbage", "raise", "hang")),
    Phase("the server is killed", (kill_the_server, freeze_the_server)),
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_whoever_is_killed(tmp_path: Path) -> None:
    stage = Stage([Node(tmp_path, "--workers", "2", *LIMITS)])
    figures = run(stage, PHASES, Terms(jobs=180, seed=1, rate=12, pause=0.7))
    assert sum(figures[phase.name]["jobs"] for phase in PHASES) == 180
    assert figures["workers are killed and freeze"]["blows"]
