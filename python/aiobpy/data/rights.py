"""What whoever asks may do: a request was let in by its route, and some values need more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiobpy.data import problems

SCOPES: Final = ("read", "control", "files", "exec", "admin")
"""Each includes those before it, but that `exec` needs the user's tick besides."""


@dataclass(frozen=True, slots=True)
class Rights:
    """The scopes that whoever asks has, now."""

    scopes: frozenset[str] = frozenset(SCOPES)

    def demand(self, needed: str, what: str) -> None:
        """Refuse what takes a scope that is not among these.

        Raises:
            Problem: 403.
        """
        if needed not in self.scopes:
            has = ", ".join(scope for scope in SCOPES if scope in self.scopes) or "none"
            msg = f"{what} takes the scope `{needed}`, and yours are: {has}"
            raise problems.not_allowed(msg, _HINTS.get(needed, "ask the user for a wider scope"))


EVERYTHING: Final = Rights()
"""Of code in this Blender."""

_HINTS: Final = {"exec": "the user has to tick it in Blender, and to give a token of that scope"}
