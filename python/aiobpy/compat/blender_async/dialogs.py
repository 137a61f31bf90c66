"""Dialogs, each with a future of its own."""

from __future__ import annotations

import weakref
from asyncio import Future
from typing import Any, ClassVar

from aiobpy import ui
from aiobpy.compat import current_loop


class AsyncDialog:
    """What a dialog asks for: a class of `bpy.props`, assigned or annotated."""


async def open_dialog(dialog_class: type[Any]) -> dict[str, Any] | None:
    """Show a dialog; return the values by name, or None if the person cancelled."""
    entered = await ui.dialog(dialog_class)
    return None if entered is None else dict(vars(entered))


async def open_file_dialog() -> str | None:
    """Let a person choose a file; return its path, or None if they cancelled."""
    path = await ui.pick_file()
    return None if path is None else str(path)


class BlenderFuture(Future[Any]):
    """A future with a number, by which it is found as long as somebody has it.

    Attributes:
        id: The number.
        futures: All that there are, by number.
        future_counter: The number of the next.
    """

    futures: ClassVar[weakref.WeakValueDictionary[int, BlenderFuture]] = (
        weakref.WeakValueDictionary()
    )
    future_counter: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__(loop=current_loop.adopt())
        self.id = BlenderFuture.future_counter
        BlenderFuture.future_counter += 1
        self.futures[self.id] = self
