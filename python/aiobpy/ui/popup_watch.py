"""Sees that a popup of another operator has been closed: an operator that waits behind it.

While a popup is open it has all keys and buttons. Our operator begins before it and so is asked
after it: when one comes through, the popup is gone.
"""

from __future__ import annotations

import itertools
from typing import Final, Self

import bpy

from aiobpy.ui import registered

_LOOK_AGAIN: Final = 0.05
"""Seconds after which our operator sees that it is not wanted any more."""

_COMES_THROUGH: Final = ('NONE', 'TIMER', 'WINDOW_DEACTIVATE')
"""What a popup lets pass: these, and what begins like them."""


class Watch:
    """Sees the end of the popups that are opened after `begin`, while its block lasts.

    Attributes:
        has_closed: Whether they have been closed.
    """

    def __init__(self) -> None:
        self.has_closed = False
        self._token = str(next(_tokens))

    def begin(self) -> None:
        """Watch the window of the moment."""
        registered.ensure(AIOBPY_OT_watch)
        _watches[self._token] = self
        with bpy.context.temp_override(window=bpy.context.window):
            bpy.ops.aiobpy.watch('INVOKE_DEFAULT', token=self._token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _watches.pop(self._token, None)


class AIOBPY_OT_watch(bpy.types.Operator):
    """Wait for the end of a popup"""

    bl_idname = "aiobpy.watch"
    bl_label = "Watch"
    bl_options = {'INTERNAL'}

    token: bpy.props.StringProperty(options={'HIDDEN', 'SKIP_SAVE'})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        manager = context.window_manager
        self.timer = manager.event_timer_add(_LOOK_AGAIN, window=context.window)
        manager.modal_handler_add(self)
        return {'RUNNING_MODAL'}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        watch = _watches.get(self.token)
        if watch is not None and event.type.startswith(_COMES_THROUGH):
            return {'PASS_THROUGH'}
        if watch is not None:
            watch.has_closed = True
        context.window_manager.event_timer_remove(self.timer)
        return {'FINISHED', 'PASS_THROUGH'}

    def cancel(self, _context: bpy.types.Context) -> None:
        # With its window, or with the file: Blender frees the timer.
        if (watch := _watches.get(self.token)) is not None:
            watch.has_closed = True


_tokens = itertools.count(1)
_watches: dict[str, Watch] = {}
