"""One undo step for work that takes many frames.

Blender's undo steps are snapshots of everything, one after the other: what lies between two of
them is undone together, whoever did it.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Final, Self

import bpy

from aiobpy import handlers, host, main_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_MARK: Final = "aiobpy_undo_step"
"""A property of the scene while a step is open. A snapshot that has it was made meanwhile."""


class undo_step:
    """Makes what happens inside one undo step: `async with aiobpy.undo_step("Import"): ...`.

    The step is pushed at the end. Steps that a person makes meanwhile stay; each has in it what was
    done until then, and undoing goes through them in turn.

    If the block raises or is cancelled, all that it did is rolled back, unless somebody has made a
    step meanwhile or another `undo_step` is open: then it stays, as a step that can be undone by
    hand, and a note at the exception says so. Rolling back is an undo: data-blocks that are held in
    variables are gone, in every task; names are not.

    While a person is in the middle of a transform it waits, at either end. Within another one of
    the same task it is part of that. In the background, where Blender keeps no steps by itself, one
    is pushed at the beginning as well, so that rolling back works. Where undo is off in the
    preferences, nothing is pushed and nothing is rolled back.

    Attributes:
        name: As `Edit > Undo History` shows it.
        rolled_back: Whether all was undone because of an exception.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.rolled_back = False
        self._is_alone = True
        self._is_entered = False
        self._outer: undo_step | None = None

    async def __aenter__(self) -> Self:
        if _is_off() or _around.get() in _open:
            return self
        await main_loop.hands_off()
        if not host.has_main_loop():
            _push(f"Before {self.name}")
        _begin_to_mark()
        for other in _open:
            other._is_alone = self._is_alone = False
        _open.append(self)
        self._outer = _around.get()
        _around.set(self)
        self._is_entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_entered:
            if error is not None and _is_off():
                error.add_note(_left(self.name, "undo is off in the preferences"))
            return
        _around.set(self._outer)
        try:
            await main_loop.hands_off()
        finally:
            try:
                self._keep() if error is None else self._give_up(error)
            finally:
                _open.remove(self)

    def _keep(self) -> None:
        if len(_open) == 1:
            _clear_marks()
        _push(self.name)

    def _give_up(self, error: BaseException) -> None:
        why_not = self._why_not_to_roll_back()
        if why_not is None:
            _push(f"{self.name} (broken off)")
            _run('undo')
            if not _is_marked():
                self.rolled_back = True
                return
            _run('redo')
            why_not = "somebody has made a step meanwhile"
        elif _is_marked():
            _push(f"{self.name} (broken off)")
        error.add_note(_left(self.name, why_not))
        if len(_open) == 1:
            _clear_marks()

    def _why_not_to_roll_back(self) -> str | None:
        if not self._is_alone:
            return "another undo step was open at the same time"
        if main_loop.is_in_hand():
            return "somebody is in the middle of an operator"
        if not _is_marked():
            return "a file was loaded or it was undone by hand meanwhile"
        return None


def _left(name: str, why: str) -> str:
    return f"{name!r} was not rolled back, for {why}; what it did can be undone by hand"


def _is_off() -> bool:
    return not bpy.context.preferences.edit.use_global_undo


def _push(message: str) -> None:
    _run('undo_push', message=message)


def _run(name: str, **properties: Any) -> None:
    with main_loop.with_a_window():
        getattr(bpy.ops.ed, name)(**properties)


def _begin_to_mark() -> None:
    global _cleaning
    bpy.context.scene[_MARK] = True
    if _cleaning is None:
        # A snapshot that was made meanwhile has the mark: nobody is to see it when it comes back.
        _cleaning = handlers.subscribe(("undo_post", "redo_post", "load_post"), _clean_up)
        host.on_shut_down(_forget_cleaning)


def _is_marked() -> bool:
    return any(_MARK in scene for scene in bpy.data.scenes)


def _clear_marks() -> None:
    for scene in bpy.data.scenes:
        if _MARK in scene:
            del scene[_MARK]


def _clean_up(fired: handlers.Fired) -> None:
    if _open:
        return
    _clear_marks()
    if fired.handler == "load_post":
        # The snapshots are gone with the file.
        _forget_cleaning()


def _forget_cleaning() -> None:
    global _cleaning
    if _cleaning is not None:
        _cleaning()
        _cleaning = None
    _open.clear()


_around: contextvars.ContextVar[undo_step | None] = contextvars.ContextVar(
    "undo_step", default=None
)
_open: list[undo_step] = []
_cleaning: Callable[[], None] | None = None
