"""The modal operators of a window, read with care: the only place that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def running_in(window: Any) -> Iterator[tuple[str, int]]:
    """Return the names and addresses of the modal operators that run in a window.

    Where a file load has just freed one, or its class has just been unregistered, Blender still
    lists it for a moment: as None in 5.2, as an operator of which nothing can be read in 4.3.
    """
    for operator in window.modal_operators:
        try:
            yield operator.bl_idname, operator.as_pointer()
        except (AttributeError, ReferenceError, ValueError):
            continue
