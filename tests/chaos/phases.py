"""The phases of a run: who is struck by what, and by which jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos import sabotage

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Phase:
    """A part of a run.

    Attributes:
        name: As the report has it.
        blows: What befalls the nodes.
        unruly: Ways in which some of its jobs misbehave.
    """

    name: str
    blows: Sequence[sabotage.Blow] = ()
    unruly: Sequence[str] = ()


NATS: Final = (
    Phase("calm"),
    Phase("workers are killed and freeze", (sabotage.kill_a_worker, sabotage.freeze_a_worker)),
    Phase("nodes are killed and freeze", (sabotage.kill_the_server, sabotage.freeze_the_server)),
    Phase(
        "NATS servers are killed and freeze",
        (sabotage.kill_a_nats_server, sabotage.freeze_a_nats_server),
    ),
    Phase("jobs misbehave", unruly=("crash", "garbage", "raise", "exit", "leak", "hang")),
    Phase(
        "all of it",
        (
            sabotage.kill_a_worker,
            sabotage.freeze_a_worker,
            sabotage.kill_the_server,
            sabotage.freeze_the_server,
            sabotage.kill_a_nats_server,
            sabotage.freeze_a_nats_server,
        ),
        unruly=("crash", "garbage", "leak"),
    ),
)

EMBEDDED: Final = (
    Phase("calm"),
    Phase("workers are killed and freeze", (sabotage.kill_a_worker, sabotage.freeze_a_worker)),
    Phase("jobs misbehave", unruly=("crash", "garbage", "raise", "exit", "leak", "hang") * 2),
    Phase("the server is killed", (sabotage.kill_the_server,)),
    Phase("the server freezes", (sabotage.freeze_the_server, sabotage.kill_a_worker)),
    Phase("the clock jumps", (sabotage.move_the_clock, sabotage.kill_a_worker)),
    Phase("the disk is full", (sabotage.fill_the_disk,)),
    Phase(
        "all of it",
        (
            sabotage.kill_a_worker,
            sabotage.freeze_a_worker,
            sabotage.kill_the_server,
            sabotage.freeze_the_server,
            sabotage.move_the_clock,
            sabotage.fill_the_disk,
        ),
        unruly=("crash", "garbage", "leak", "hang"),
    ),
)
