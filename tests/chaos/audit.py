"""What has to hold after each phase, whatever happened in it."""

from __future__ import annotations

import collections
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.pictures import number_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.clients import Ledger
    from tests.chaos.node import Node

_FINAL: Final = {"finished", "failed", "cancelled"}
_ENDS: Final = {f"job.{state}" for state in _FINAL}
_PATIENCE: Final = 30.0
_SHOWN: Final = 20
"""Wrong jobs that are told of, at most."""
_TELL_EVERY: Final = 10.0


@dataclass
class Verdict:
    """What an audit found.

    Attributes:
        attempts: How many jobs took how many.
        lost: Jobs that were acknowledged, and have not ended well.
        twice: Jobs that clients were told of as they must not be, such as two ends.
        wrong_pictures: Jobs whose picture is not theirs.
        wrong: The first of them, in words.
    """

    attempts: collections.Counter[int] = field(default_factory=collections.Counter)
    lost: int = 0
    twice: int = 0
    wrong_pictures: int = 0
    wrong: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Note what is wrong, in words."""
        if len(self.wrong) < _SHOWN:
            self.wrong.append(text)


def audit(node: Node, ledger: Ledger, seconds: float, tell: Callable[[str], None]) -> Verdict:
    """Wait until every acknowledged job has ended, and look at each.

    Nothing is kept of a job once it was looked at.

    Args:
        node: Who is asked.
        ledger: What was acknowledged.
        seconds: That they may take to end.
        tell: Called every ten seconds with how far it is.
    """
    verdict = Verdict()
    deadline = time.monotonic() + seconds
    told = time.monotonic()
    for place, (identity, number) in enumerate(ledger.jobs.items()):
        _look_at(node, identity, number, deadline, verdict)
        if time.monotonic() > told + _TELL_EVERY:
            told = time.monotonic()
            tell(f"audited {place} of {len(ledger.jobs)}")
    for identity in ledger.unruly:
        if _ended(node, identity, deadline)["state"] not in _FINAL:
            verdict.lost += 1
            verdict.say(f"{identity}, which misbehaves, has not ended")
    return verdict


def _look_at(node: Node, identity: str, number: int, deadline: float, verdict: Verdict) -> None:
    job = _ended(node, identity, deadline)
    verdict.attempts[job["attempt"]] += 1
    if job["state"] != "finished":
        verdict.lost += 1
        verdict.say(f"{identity} shows no {number}: {job}: {_told_by_now(node, identity)}")
        return
    kinds = [event["type"] for event in _told(node, identity)]
    ends = [kind for kind in kinds if kind in _ENDS]
    if ends != ["job.finished"] or kinds[-1] != ends[0] or kinds.count("job.queued") != 1:
        verdict.twice += 1
        verdict.say(f"{identity} was told of so: {kinds}")
    picture = node.get(f"/api/v1/jobs/{identity}/result")
    shown: object
    try:
        shown = number_in(picture)
    except ValueError as error:
        shown = error
    if shown != number:
        verdict.wrong_pictures += 1
        verdict.say(f"{identity} shows {shown} and not {number}")


def _ended(node: Node, identity: str, deadline: float) -> dict[str, Any]:
    """Follow a job to its end; return it as it is then, or as it is when that was too late."""
    while True:
        job: dict[str, Any] = json.loads(node.get(f"/api/v1/jobs/{identity}"))
        left = deadline - time.monotonic()
        if job["state"] in _FINAL or left <= 0:
            return job
        with contextlib.suppress(OSError):
            for _event in node.events(identity, seconds=left):
                pass


def _told_by_now(node: Node, identity: str) -> list[dict[str, Any]]:
    """What was told of a job that has not ended."""
    told: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        for event in node.events(identity, seconds=2):
            told.append(event)  # noqa: PERF402 - what came before it is cut short counts
    return told


def _told(node: Node, identity: str) -> list[dict[str, Any]]:
    """What a client hears that asks what has happened to a job that has ended."""
    while True:
        try:
            return list(node.events(identity, seconds=_PATIENCE))
        except OSError:
            node.up.wait(_PATIENCE)
