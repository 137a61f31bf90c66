"""What is wrong, as programs and people are told it: RFC 9457 problem details."""

from __future__ import annotations

import difflib
import json
from typing import Any


class Problem(Exception):
    """Raised by a method to tell its client what is wrong: `raise Problem("there is no such cup")`.

    Args:
        detail: What was wrong, with what.
        status: The HTTP status, 400 to 599.
        kind: A short word for the kind of problem, for programs.
        title: The kind in words; the same for all problems of one kind.
        hint: What to do next.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int = 400,
        kind: str = "refused",
        title: str = "The method refused",
        hint: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.kind = kind
        self.title = title
        self.hint = hint
        self.errors: list[tuple[str, str]] = []
        """What is wrong with single values, and why: JSON pointers into the body, or the names of
        parameters in a path or a query."""
        self.traceback: str | None = None

    def to_json(self) -> str:
        """Return the problem as RFC 9457 has it."""
        problem: dict[str, Any] = {
            "type": self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.hint is not None:
            problem["hint"] = self.hint
        if self.errors:
            problem["errors"] = [
                {_kind_of_place(place): place, "detail": detail} for place, detail in self.errors
            ]
        if self.traceback is not None:
            problem["crash_text"] = self.traceback
        return json.dumps(problem)


def cancelled(name: str) -> Problem:
    """Say that a method was cancelled before it ended."""
    return Problem(
        f"the method {name!r} was cancelled before it ended",
        status=503,
        kind="method-cancelled",
        title="The method was cancelled",
    )


def unfit(wrong: list[tuple[str, str]]) -> Problem:
    """Say what is wrong with parameters: JSON pointers, and why."""
    count = "a parameter" if len(wrong) == 1 else f"{len(wrong)} parameters"
    problem = Problem(
        f"{count} cannot be used as given",
        status=422,
        kind="invalid-params",
        title="The parameters do not fit the method",
    )
    problem.errors = wrong
    return problem


def unspeakable(name: str, error: Exception) -> Problem:
    """Say that JSON cannot say what a method returned."""
    return Problem(
        f"the method {name!r} returned what JSON cannot say: {error}",
        status=500,
        kind="unspeakable-result",
        title="The result cannot be sent",
        hint="have it return numbers, text, lists, dicts with text as keys, or dataclasses",
    )


def unknown_method(name: str, known: list[str]) -> Problem:
    """Say that there is no such method, and which are near."""
    return Problem(
        f"there is no method {name!r}",
        status=404,
        kind="unknown-method",
        title="No such method",
        hint=near(name, known),
    )


def not_allowed(name: str, scope: str) -> Problem:
    """Say that who asks may not call a method."""
    return Problem(
        f"the method {name!r} needs the scope {scope}",
        status=403,
        kind="not-allowed",
        title="Not allowed",
        hint="ask whoever runs this Blender to allow more, in aiobpy's panel",
    )


def near(name: str, known: list[str]) -> str:
    """Return a hint: which of the known names are like one."""
    if not known:
        return "there are none"
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return "did you mean " + " or ".join(repr(match) for match in near) + "?"
    return "there are: " + ", ".join(repr(other) for other in sorted(known))


def _kind_of_place(place: str) -> str:
    return "pointer" if not place or place.startswith("/") else "parameter"
