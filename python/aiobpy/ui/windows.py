"""In which of Blender's windows a person is asked: where they have started what asks."""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator


def home() -> Any:
    """Return the window where the running task was started, if it is open, else the first."""
    return opened(_home.get()) or bpy.context.window or bpy.context.window_manager.windows[0]


def opened(address: int) -> Any:
    """Return the window at an address; None if it is not open any more."""
    for window in bpy.context.window_manager.windows:
        if window.as_pointer() == address:
            return window
    return None


@contextlib.contextmanager
def at_home_in(address: int) -> Iterator[None]:
    """Have the tasks that are started inside ask in this window."""
    token = _home.set(address)
    try:
        yield
    finally:
        _home.reset(token)


_home: contextvars.ContextVar[int] = contextvars.ContextVar("home", default=0)
"""The address of a window."""
