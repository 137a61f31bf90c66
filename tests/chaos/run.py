"""A run: phases one after the other against a fleet, each audited."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.audit import audit
from tests.chaos.clients import Clients, Ledger
from tests.chaos.sabotage import Saboteur, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.phases import Phase


@dataclass(frozen=True)
class Terms:
    """How much, and how fast.

    Attributes:
        jobs: Of all phases together.
        seed: Of all that is left to chance.
        rate: Jobs a second that come in.
        pause: Seconds from one blow to the next, in the mean.
    """

    jobs: int
    seed: int
    rate: float
    pause: float


LIMITS: Final = ("--silence-limit", "3", "--hang-limit", "5", "--attempts", "50")
"""Shorter than usual, so that many blows fit into a run."""


def run(stage: Stage, phases: Sequence[Phase], terms: Terms) -> dict[str, Any]:
    """Run phases.

    Args:
        stage: What is attacked; its nodes are stopped at the end.
        phases: In this order.
        terms: How many jobs, and how fast.

    Returns:
        Figures by phase.

    Raises:
        AssertionError: Something is not as it has to be.
    """
    figures: dict[str, Any] = {"seed": terms.seed}
    try:
        for node in stage.nodes:
            node.wait_until_ready()
        share = terms.jobs // len(phases)
        for place, phase in enumerate(phases):
            numbers = range(place * share, (place + 1) * share)
            figures[phase.name] = _run_phase(stage, phase, numbers, terms, terms.seed + place)
        for node in stage.nodes:
            assert node.stop() == 0, node.printed()[-4000:]
    except BaseException:
        for node in stage.nodes:
            print(node.printed()[-4000:], file=sys.stderr)
        raise
    finally:
        for node in stage.nodes:
            if node.process.poll() is None:
                node.kill()
    return figures


def _run_phase(
    stage: Stage, phase: Phase, numbers: range, terms: Terms, seed: int
) -> dict[str, Any]:
    began = time.monotonic()
    ledger = Ledger()
    clients = Clients(stage.nodes, ledger, seed, terms.rate)
    saboteur = Saboteur(stage, seed, phase.blows, terms.pause)
    if phase.blows:
        saboteur.begin()
    clients.begin(numbers, unruly=phase.unruly)
    clients.join()
    if phase.blows:
        saboteur.stop()
    figures = audit(stage.nodes[0], ledger, seconds=120 + len(numbers))
    figures["seconds"] = round(time.monotonic() - began, 1)
    figures["blows"] = saboteur.struck
    print(f"{phase.name}: {figures}", flush=True)
    return figures
