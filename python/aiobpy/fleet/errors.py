"""What goes wrong between a client and a fleet, by type: from problem details (RFC 9457)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class FleetError(Exception):
    """Something is wrong between this client and a fleet; the text says what, and what to do."""


class Unreachable(FleetError):
    """No server is running, or it cannot be reached, or the connection broke for too long."""


@dataclass(frozen=True)
class Details:
    """A problem as a server tells it."""

    status: int
    kind: str = ""
    """A stable word for programs, as in `unknown-template`."""
    title: str = ""
    detail: str = ""
    hint: str | None = None
    retry_after: float | None = None
    """Seconds after which it may be worth another try."""
    errors: tuple[tuple[str, str], ...] = ()
    """Where the request is wrong, as JSON pointers, and why."""
    crash_text: str | None = None
    """What a worker printed last, if one died."""
    members: dict[str, Any] = field(default_factory=dict)
    """All that the server said."""

    @classmethod
    def read(cls, status: int, body: bytes | dict[str, Any], retry_after: str = "") -> Details:
        """Return the problem that an answer is; what is no problem detail has a status alone.

        Args:
            status: Of HTTP.
            body: The answer's, or the members of a problem that is part of one.
            retry_after: The value of the header, if there is one.
        """
        told = body if isinstance(body, dict) else _object_of(body)
        after = told.get("retry_after", retry_after)
        return cls(
            status=int(told.get("status", status)),
            kind=str(told.get("type", "")),
            title=str(told.get("title", f"the server answered {status}")),
            detail=str(told.get("detail", "")),
            hint=told.get("hint"),
            retry_after=_number(after),
            errors=tuple(
                (str(error.get("pointer", error.get("parameter", ""))), str(error.get("detail")))
                for error in told.get("errors", ())
            ),
            crash_text=told.get("crash_text"),
            members=told,
        )

    def __str__(self) -> str:
        text = f"{self.title}: {self.detail}" if self.detail else self.title
        text += "".join(f"\n  {pointer}: {detail}" for pointer, detail in self.errors)
        if self.crash_text:
            text += f"\nthe worker's last lines:\n{self.crash_text}"
        return f"{text}\nhint: {self.hint}" if self.hint else text


class Refused(FleetError):
    """The server refused a request. See `problem` for what it said."""

    def __init__(self, problem: Details) -> None:
        super().__init__(str(problem))
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def kind(self) -> str:
        """A stable word for programs, as in `unknown-template`."""
        return self.problem.kind


class InvalidRequest(Refused):
    """The request does not fit: no such template, a parameter that is wrong. 400, 413, 415, 422."""


class NotAllowed(Refused):
    """The token is wrong, or may not do this. 401, 403."""


class NotFound(Refused):
    """There is no such job, batch or template. 404."""


class Conflict(Refused):
    """It cannot be done any more, or not yet: the job has ended. 409, 410."""


class Busy(Refused):
    """The fleet takes nothing on just now, and patience ran out. 429, 503."""


class JobFailed(Refused):
    """The job was taken on, and failed. `problem.crash_text` has what a worker printed last."""

    def __init__(self, job_id: str, problem: Details) -> None:
        super().__init__(problem)
        self.job_id = job_id


class JobCancelled(FleetError):
    """Somebody cancelled the job."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"the job {job_id} was cancelled, so it has no result")
        self.job_id = job_id


def refusal(problem: Details) -> Refused:
    """Return the exception for what a server said to a request."""
    return _BY_STATUS.get(problem.status, Refused)(problem)


_BY_STATUS: dict[int, type[Refused]] = {
    400: InvalidRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: Busy,
    503: Busy,
}


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _number(value: Any) -> float | None:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return None
