"""What of ours is registered in Blender: on first use, and until the loop is shut down.

Blender does not look after the popups and file browsers of an operator that is unregistered: it
goes on to use what is freed. So those that are open are counted, and the operator stays till then.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy import host

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_SPARE: Final = 32
"""Classes made for one model or title that are kept for the next time."""
_LOOK_AGAIN: Final = 0.02
"""Seconds until we look again whether a popup has been closed."""


def ensure(operator: type[bpy.types.Operator]) -> None:
    """Register an operator, unless it is."""
    if operator not in _operators:
        bpy.utils.register_class(operator)
        _operators.append(operator)
        _take_down_in_the_end()


def drop(operator: type[bpy.types.Operator]) -> None:
    """Unregister an operator, if it is registered; where it is modal, it ends at once.

    Not to be called within the operator itself.
    """
    if operator in _operators and not _open[operator.bl_idname]:
        _operators.remove(operator)
        bpy.utils.unregister_class(operator)


def note_opened(operator: type[bpy.types.Operator]) -> None:
    """A popup or file browser of it was opened."""
    _open[operator.bl_idname] += 1


def note_closed(operator: type[bpy.types.Operator]) -> None:
    """One of them is closed: Blender has called `execute` or `cancel`."""
    _open[operator.bl_idname] -= 1


class Made:
    """Operators that are made when they are needed: one for each model, or title.

    Those not used for longest are dropped when there are too many, and never while in use.
    """

    def __init__(self, make: Callable[[str, Any], type[bpy.types.Operator]], prefix: str) -> None:
        """`make(idname, subject)` returns an operator; `prefix` is what its name begins with."""
        self._make = make
        self._prefix = prefix
        self._count = 0
        self._by_key: dict[Hashable, type[bpy.types.Operator]] = {}
        self._uses: dict[Hashable, int] = {}

    def take(self, key: Hashable, subject: Any) -> type[bpy.types.Operator]:
        """Return the operator for a key, registered, and keep it until `give_back`.

        The first time, it is made of `subject`.
        """
        made = self._by_key.pop(key, None)
        if made is None or made not in _operators:
            self._count += 1
            made = self._make(f"aiobpy.{self._prefix}_{self._count}", subject)
            ensure(made)
        # The newest is last.
        self._by_key[key] = made
        self._uses[key] = self._uses.get(key, 0) + 1
        return made

    def give_back(self, key: Hashable) -> None:
        """The caller has done with it, and Blender too."""
        self._uses[key] -= 1
        unused = [key for key in self._by_key if not self._uses.get(key)]
        for key in unused[: max(0, len(unused) - _SPARE)]:
            drop(self._by_key[key])
            if self._by_key[key] not in _operators:
                del self._by_key[key]
                self._uses.pop(key, None)


def after_each_load(function: Callable[[], object]) -> None:
    """Have `function()` called whenever a file has been loaded. Does nothing if it is."""
    if function in _after_load:
        return
    _after_load.append(function)
    if _on_load not in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.append(_on_load)
    _take_down_in_the_end()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _on_load(*_arguments: Any) -> None:
    for function in _after_load:
        function()


def _take_down_in_the_end() -> None:
    global _is_to_be_taken_down
    if not _is_to_be_taken_down:
        _is_to_be_taken_down = True
        host.on_shut_down(_take_down)


def _take_down() -> None:
    global _is_to_be_taken_down
    _is_to_be_taken_down = False
    _after_load.clear()
    if _on_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_on_load)
    if _unregister_all() is not None:
        bpy.app.timers.register(_unregister_all, first_interval=_LOOK_AGAIN, persistent=True)


def _unregister_all() -> float | None:
    """Unregister those of which nothing is open; return when to look at the others."""
    if _is_to_be_taken_down:
        # Somebody has begun anew.
        return None
    for operator in tuple(_operators):
        drop(operator)
    return _LOOK_AGAIN if _operators else None


_operators: list[type[bpy.types.Operator]] = []
_open: collections.Counter[str] = collections.Counter()
"""Popups and file browsers, by operator."""
_after_load: list[Callable[[], object]] = []
_is_to_be_taken_down = False
