"""A run: phases one after the other against a fleet, each audited."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.audit import audit
from tests.chaos.clients import Clients, Ledger
from tests.chaos.node import Node
from tests.chaos.sabotage import Saboteur

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.chaos.phases import Phase

LIMITS: Final = ("--silence-limit", "3", "--hang-limit", "5", "--attempts", "50")
"""Shorter than usual, so that many blows fit into a run."""


def run(
    folder: Path,
    phases: Sequence[Phase],
    *,
    jobs: int,
    workers: int,
    seed: int,
    rate: float,
    pause: float,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run phases against one node with its own queue.

    Args:
        folder: Where it keeps everything.
        phases: In this order.
        jobs: Of all phases together.
        workers: Warm Blenders.
        seed: Of all that is left to chance.
        rate: Jobs a second that come in.
        pause: Seconds from one blow to the next, in the mean.
        environment: More variables for the node.

    Returns:
        Figures by phase.

    Raises:
        AssertionError: Something is not as it has to be.
    """
    figures: dict[str, Any] = {"seed": seed}
    node = Node(folder, "--workers", str(workers), *LIMITS, environment=environment)
    try:
        node.wait_until_ready()
        share = jobs // len(phases)
        for place, phase in enumerate(phases):
            numbers = range(place * share, (place + 1) * share)
            figures[phase.name] = _run_phase(phase, node, numbers, seed + place, rate, pause)
        assert node.stop() == 0, node.printed()[-4000:]
    except BaseException:
        print(node.printed()[-4000:], file=sys.stderr)
        raise
    finally:
        if node.process.poll() is None:
            node.kill()
    return figures


def _run_phase(
    phase: Phase, node: Node, numbers: range, seed: int, rate: float, pause: float
) -> dict[str, Any]:
    began = time.monotonic()
    ledger = Ledger()
    clients = Clients([node], ledger, seed, rate)
    saboteur = Saboteur([node], seed, phase.blows, pause)
    if phase.blows:
        saboteur.begin()
    clients.begin(numbers, unruly=phase.unruly)
    clients.join()
    if phase.blows:
        saboteur.stop()
    figures = audit(node, ledger, seconds=120 + len(numbers))
    figures["seconds"] = round(time.monotonic() - began, 1)
    figures["blows"] = saboteur.struck
    print(f"{phase.name}: {figures}", flush=True)
    return figures
