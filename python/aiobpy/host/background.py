"""The host where Blender has no main loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiobpy.loop import EventLoop

_T = TypeVar("_T")


class BackgroundHost:
    """Runs a loop where Blender has no main loop: in `blender -b` and in the `bpy` module.

    While nothing is ready the main thread parks in Rust, with the GIL released.
    """

    def __init__(self, loop: EventLoop) -> None:
        self.loop = loop

    def run(self, awaitable: Awaitable[_T]) -> _T:
        """Run until a coroutine or a task ends and return its result."""
        return self.loop.run_until_complete(awaitable)
