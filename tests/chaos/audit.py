"""What has to hold after each phase, whatever happened in it."""

from __future__ import annotations

import collections
import json
import time
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.pictures import number_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.clients import Ledger
    from tests.chaos.node import Node

_FINAL: Final = {"finished", "failed", "cancelled"}
_PAUSE: Final = 0.2
"""Seconds between two looks at the jobs that go on."""


def audit(node: Node, ledger: Ledger, seconds: float) -> dict[str, Any]:
    """Wait until every acknowledged job has ended, and look at each.

    Args:
        node: Who is asked.
        ledger: What was acknowledged.
        seconds: That they may take to end.

    Returns:
        Figures.

    Raises:
        AssertionError: A job is lost, was finished twice, or shows another number than its own.
    """
    ended = _wait_for_all(node, [*ledger.jobs, *ledger.unruly], seconds)
    wrong: list[str] = []
    attempts: collections.Counter[int] = collections.Counter()
    for identity, number in ledger.jobs.items():
        job = ended[identity]
        attempts[job["attempt"]] += 1
        if job["state"] != "finished":
            wrong.append(f"{identity} ({number}) {job['state']}: {job.get('problem')}")
            continue
        shown = _shown(node, identity)
        if shown != number:
            wrong.append(f"{identity} shows {shown} and not {number}")
        wrong.extend(_told_wrong(node, identity))
    assert not wrong, f"{len(wrong)} of {len(ledger.jobs)} jobs are wrong:\n" + "\n".join(
        wrong[:20]
    )
    return {
        "jobs": len(ledger.jobs),
        "unruly": len(ledger.unruly),
        "attempts": dict(sorted(attempts.items())),
        "slowest_acknowledgement_s": round(ledger.slowest, 2),
        "refused_429": ledger.refused,
    }


def _wait_for_all(node: Node, identities: Sequence[str], seconds: float) -> dict[str, Any]:
    end = time.monotonic() + seconds
    ended: dict[str, Any] = {}
    for identity in identities:
        while identity not in ended:
            job = node.get(f"/api/v1/jobs/{identity}")
            if job["state"] in _FINAL:
                ended[identity] = job
            elif time.monotonic() > end:
                left = len(identities) - len(ended)
                raise AssertionError(f"{left} jobs have not ended, such as {job}")
            else:
                time.sleep(_PAUSE)  # under test: a client that looks now and then
    return ended


def _shown(node: Node, identity: str) -> int:
    while True:
        try:
            status, picture = node.ask("GET", f"/api/v1/jobs/{identity}/result")
        except OSError:
            continue
        assert status == 200, (identity, status, picture[:500])
        return number_in(picture)


def _told_wrong(node: Node, identity: str) -> list[str]:
    """What a client that follows a job would find wrong: two ends, or something after the end."""
    _, answer = node.ask("GET", f"/api/v1/jobs/{identity}/events")
    lines = [line[5:] for line in answer.decode().splitlines() if line.startswith("data:")]
    told = [json.loads(line)["type"] for line in lines]
    ends = [kind for kind in told if kind in {"job.finished", "job.failed", "job.cancelled"}]
    if ends == ["job.finished"] and told[-1] == "job.finished" and told.count("job.queued") == 1:
        return []
    return [f"{identity} was told of so: {told}"]
