"""What can be wrong with what a client asks of Blender, as problems (RFC 9457)."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from aiobpy.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN: Final = 20
"""So many of the names that there are stand in a hint."""

_COMPARED: Final = 200
_COMPARED_START: Final = 6


def unknown(detail: str, name: str, known: Iterable[str]) -> Problem:
    """Return that there is nothing of that name; the hint has those that come near."""
    return Problem(
        detail,
        status=404,
        kind="unknown-in-blender",
        title="Not in this Blender",
        hint=near(name, known),
    )


def malformed(detail: str, hint: str | None = None) -> Problem:
    """Return that a query or a path cannot be understood."""
    return Problem(
        detail, status=400, kind="malformed-query", title="The query makes no sense", hint=hint
    )


def unfit(errors: Sequence[tuple[str, str]]) -> Problem:
    """Return that values do not fit.

    Args:
        errors: JSON pointers into the body, and why.
    """
    count = "a value" if len(errors) == 1 else f"{len(errors)} values"
    problem = Problem(
        f"{count} cannot be used as given",
        status=422,
        kind="invalid-values",
        title="Values do not fit",
        hint="mend what `errors` points at, and send it again",
    )
    problem.errors = list(errors)
    return problem


def conflict(detail: str, hint: str | None = None) -> Problem:
    """Return that Blender, as it is now, cannot do this."""
    return Problem(
        detail, status=409, kind="conflict", title="Not in Blender's present state", hint=hint
    )


def refused_by_blender(detail: str, error: Exception) -> Problem:
    """Return what Blender itself says."""
    said = " ".join(str(error).replace("Error: ", "").split())
    return conflict(f"{detail}: {said}" if said else detail)


def changed_meanwhile(what: str) -> Problem:
    """Return that the client's `If-Match` names another state."""
    return Problem(
        f"{what} is not what it was when the given ETag was sent",
        status=412,
        kind="changed-meanwhile",
        title="Changed meanwhile",
        hint="GET it again, and send its new ETag in If-Match",
    )


def not_allowed(detail: str, hint: str) -> Problem:
    """Return that whoever asks may not do this."""
    return Problem(detail, status=403, kind="not-allowed", title="Not allowed", hint=hint)


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint: names that come near, or those that there are."""
    names = list(dict.fromkeys(known))
    if not names:
        return "there are none"
    folded = {other.lower(): other for other in reversed(_candidates(name, names))}
    matches = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    if matches:
        return f"did you mean {' or '.join(repr(folded[match]) for match in matches)}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are: {', '.join(repr(other) for other in names[:_SHOWN])}{more}"


def _candidates(name: str, names: list[str]) -> list[str]:
    """Return so few that comparing them takes no time: those that begin alike."""
    if len(names) <= _COMPARED:
        return names
    start = name[:_COMPARED_START].lower()
    return [other for other in names if other.lower().startswith(start)][:_COMPARED]


def pointer(parts: Iterable[object]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
