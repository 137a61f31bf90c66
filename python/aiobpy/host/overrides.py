"""Overrides of Blender's context that are in force: none may outlive the tick that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

in_force: list[AbstractContextManager[Any]] = []


def end_all() -> None:
    """At the end of a tick: Blender must find its context as it left it."""
    while in_force:
        in_force.pop().__exit__(None, None, None)
