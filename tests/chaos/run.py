"""A run: phases one after the other against a fleet, each audited."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.audit import audit
from tests.chaos.clients import Clients, Ledger
from tests.chaos.sabotage import Saboteur

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.audit import Verdict
    from tests.chaos.phases import Phase
    from tests.chaos.stage import Stage


@dataclass(frozen=True)
class Terms:
    """How much, and how fast.

    Attributes:
        jobs: Of all phases together.
        seed: Of all that is left to chance.
        rate: Jobs a second that come in, at most.
        pause: Seconds from one blow to the next, in the mean.
    """

    jobs: int
    seed: int
    rate: float
    pause: float


@dataclass(frozen=True)
class Outcome:
    """What a phase came to.

    Attributes:
        name: The phase's.
        ledger: What was acknowledged.
        verdict: What became of it.
        struck: How often, by the name of the blow.
        moves: Seconds from a worker's death to its job's begin on another.
        seconds: That all took.
    """

    name: str
    ledger: Ledger
    verdict: Verdict
    struck: dict[str, int]
    moves: list[float]
    seconds: float

    def figures(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        attempts = self.verdict.attempts
        return {
            "jobs": len(self.ledger.jobs),
            "unruly": len(self.ledger.unruly),
            "attempts": sum(count * times for count, times in attempts.items()),
            "most_attempts": max(attempts, default=0),
            "blows": self.struck,
            "clients_gone": self.ledger.gone,
            "sent_again": self.ledger.again,
            "refused_429": self.ledger.refused,
            "lost": self.verdict.lost,
            "twice": self.verdict.twice,
            "wrong_pictures": self.verdict.wrong_pictures,
            "slowest_acknowledgement_s": round(self.ledger.slowest, 2),
            "longest_pause_s": round(self.ledger.longest_pause, 2),
            "moves": len(self.moves),
            "slowest_move_s": round(max(self.moves, default=0.0), 2),
            "seconds": round(self.seconds, 1),
        }


_LOGS: Final = Path("out/chaos")
_BLOW_SECONDS: Final = 4.0
"""That one lasts, in the mean."""
LIMITS: Final = (
    *("--silence-limit", "3", "--hang-limit", "5", "--attempts", "50"),
    # So that workers make room for fresh ones while jobs flow, and a leak is met.
    *("--recycle-jobs", "300", "--recycle-mib", "1500"),
)
"""Shorter than usual, so that many blows fit into a run."""


def run(stage: Stage, phases: Sequence[Phase], terms: Terms) -> list[dict[str, Any]]:
    """Run phases.

    Args:
        stage: What is attacked; its nodes are stopped at the end.
        phases: In this order.
        terms: How many jobs, and how fast.

    Returns:
        The figures of each phase; those after one that found something wrong are left out.

    Raises:
        AssertionError: Something that is no job is not as it has to be.
    """
    figures: list[dict[str, Any]] = []
    try:
        for node in stage.nodes:
            node.wait_until_ready()
        for place, phase in enumerate(phases):
            numbers = _share(terms.jobs, place, len(phases))
            outcome = _run_phase(stage, phase, numbers, terms, terms.seed + place)
            figures.append({"phase": phase.name, **outcome.figures()})
            print(f"{phase.name}: {outcome.figures()}", flush=True)
            if outcome.verdict.wrong:
                print("\n".join(outcome.verdict.wrong), file=sys.stderr)
                _keep_what_they_said(stage)
                return figures
        for node in stage.nodes:
            assert node.stop() == 0, node.printed()[-4000:]
    except BaseException:
        _keep_what_they_said(stage)
        raise
    finally:
        for node in stage.nodes:
            if node.process.poll() is None:
                node.kill()
    return figures


def is_good(figures: Sequence[dict[str, Any]]) -> bool:
    """Return whether nothing was lost, or seen twice, or is another's."""
    return not any(it["lost"] or it["twice"] or it["wrong_pictures"] for it in figures)


def _keep_what_they_said(stage: Stage) -> None:
    _LOGS.mkdir(parents=True, exist_ok=True)
    for node in stage.nodes:
        printed = node.printed()
        print(f"{node.folder}:\n{printed[-4000:]}", file=sys.stderr, flush=True)
        (_LOGS / f"{node.folder.name}.txt").write_text(printed)
    print(f"all that they printed is in `{_LOGS}`", file=sys.stderr, flush=True)


def _share(jobs: int, place: int, parts: int) -> range:
    """Return the numbers of one part of so many; together they are all."""
    return range(jobs * place // parts, jobs * (place + 1) // parts)


def _rate(terms: Terms, phase: Phase, jobs: int) -> float:
    """Return how many jobs a second come in: so few that every blow falls while they do."""
    seconds = len(phase.blows) * (terms.pause + _BLOW_SECONDS)
    return min(terms.rate, jobs / seconds) if seconds else terms.rate


def _run_phase(stage: Stage, phase: Phase, numbers: range, terms: Terms, seed: int) -> Outcome:
    began = time.monotonic()
    ledger = Ledger()
    clients = Clients(stage.nodes, ledger, seed, _rate(terms, phase, len(numbers)))
    saboteur = Saboteur(stage, seed, phase.blows, terms.pause)

    def tell(what: str = "submitting") -> None:
        seconds = time.monotonic() - began
        blows = sum(saboteur.struck.values())
        print(
            f"  {phase.name}, {seconds:.0f} s: {len(ledger.jobs)} of {len(numbers)} acknowledged, "
            f"{blows} blows; {what}",
            flush=True,
        )

    saboteur.begin()
    clients.begin(numbers, unruly=phase.unruly)
    clients.join(tell)
    saboteur.stop()
    verdict = audit(stage.nodes[0], ledger, 120 + len(numbers), tell)
    seconds = time.monotonic() - began
    return Outcome(phase.name, ledger, verdict, saboteur.struck, stage.take_moves(), seconds)
