"""The phases of a run: who is struck by what, and by which jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.chaos import blows
from tests.chaos.blows import ON_NODES, ON_SERVERS, ON_THE_NET, ON_WORKERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.stage import Stage


@dataclass(frozen=True)
class Phase:
    """A part of a run.

    Attributes:
        name: As the report has it.
        blows: What befalls the nodes.
        unruly: Ways in which some of its jobs misbehave.
    """

    name: str
    blows: Sequence[blows.Blow] = ()
    unruly: Sequence[str] = ()


_UNRULY: Final = ("crash", "garbage", "raise", "exit", "leak", "hang")
_ON_EITHER: Final = (
    Phase("calm"),
    Phase("workers are killed and freeze", ON_WORKERS),
    Phase("jobs misbehave", unruly=_UNRULY * 2),
    Phase("the clock jumps", (blows.move_the_clock, blows.kill_a_worker)),
)

EMBEDDED: Final = (
    *_ON_EITHER,
    Phase("the server is killed", (blows.kill_the_server,)),
    Phase("the server freezes", (blows.freeze_the_server, blows.kill_a_worker)),
    Phase("the disk is full", (blows.fill_a_disk,)),
    Phase(
        "all of it",
        (*ON_WORKERS, *ON_NODES, blows.move_the_clock, blows.fill_a_disk),
        unruly=_UNRULY,
    ),
)

NATS: Final = (
    *_ON_EITHER,
    Phase("nodes are killed and freeze", ON_NODES),
    Phase("nodes are lost", (blows.lose_a_node,)),
    Phase("NATS servers are killed and freeze", ON_SERVERS),
    Phase("all NATS servers restart", (blows.restart_the_engine,)),
    Phase("the network is cut and slow", ON_THE_NET),
    Phase("disks are full", (blows.fill_a_disk, blows.fill_a_nats_disk)),
    Phase(
        "all of it",
        (
            *(*ON_WORKERS, *ON_NODES, *ON_SERVERS, *ON_THE_NET),
            *(
                blows.restart_the_engine,
                blows.lose_a_node,
                blows.move_the_clock,
                blows.fill_a_disk,
                blows.fill_a_nats_disk,
            ),
        ),
        unruly=_UNRULY,
    ),
)


def possible(phases: Sequence[Phase], stage: Stage) -> list[Phase]:
    """Return the phases without what cannot be done here, and without those that lose all by it."""
    left = []
    for phase in phases:
        can = [blow for blow in phase.blows if blows.is_possible(blow, stage)]
        if can or not phase.blows:
            left.append(replace(phase, blows=can))
    return left
