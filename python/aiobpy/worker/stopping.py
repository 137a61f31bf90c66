"""Stops Blender within a frame, where that can be done.

A `blender --background` has a handler of its own for SIGINT, which sets the flag that ends a render
(`sig_handle_blender_esc` in Blender's `creator_signals.cc`). It may be called as a function, with
any other number than that signal's: then it does no more than that, and does not count as a Ctrl-C,
the second of which would end Blender. Cycles looks at the flag between the pieces of its work, and
takes a second or so. The module `bpy` has no such handler, and no other way to set the flag.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_SIGNAL = 0


class Stopper:
    """Ends the render that is under way, from whatever thread."""

    def __init__(self) -> None:
        self._stop = _handler_of_blender()

    @property
    def can_stop(self) -> bool:
        """Whether this Blender can be stopped within a frame."""
        return self._stop is not None

    def stop(self) -> None:
        """End the render, which then is cancelled. Of no effect between renders."""
        if self._stop is not None:
            self._stop(_NO_SIGNAL)


def _handler_of_blender() -> Callable[[int], object] | None:
    """The function that Blender has put in the place of the system's; None if there is none."""
    is_module = getattr(bpy.app, "module", False) or not bpy.app.binary_path
    # Python tells a handler of its own, or the system's, from one that it does not know: None.
    if is_module or sys.platform == "win32" or signal.getsignal(signal.SIGINT) is not None:
        return None
    libc: Any = ctypes.CDLL(None)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    with contextlib.suppress(ValueError):
        address = libc.signal(signal.SIGINT, None)
        libc.signal(signal.SIGINT, address)
        return ctypes.CFUNCTYPE(None, ctypes.c_int)(address) if address else None
    return None
