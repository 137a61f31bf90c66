"""Sees that a popup of another operator has been closed: an operator that waits behind it.

While a popup is open it has all keys and buttons. Our operator begins before it and so is asked
after it: when one comes through, the popup is gone.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy.ui import registered

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_AGAIN: Final = 0.05
"""Seconds after which our operator sees that it is not wanted any more."""

_COMES_THROUGH: Final = ('NONE', 'TIMER', 'WINDOW_DEACTIVATE')
"""What a popup lets pass: these, and what begins like them."""


class Watch:
    """What is known of the popups that are opened while it is there.

    Attributes:
        has_closed: Whether those that were opened have been closed.
    """

    has_closed = False


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


@contextlib.contextmanager
def watch(*, only_if: bool) -> Iterator[Watch]:
    """See the end of popups that are opened inside, in the window of the moment."""
    watch = Watch()
    if not only_if or not bpy.context.window_manager.windows:
        yield watch
        return
    registered.ensure(AIOBPY_OT_watch)
    token = str(next(_tokens))
    _watches[token] = watch
    try:
        _begin(token)
        yield watch
    finally:
        del _watches[token]


def _begin(token: str) -> None:
    window: Any = bpy.context.window or bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window):
        bpy.ops.aiobpy.watch('INVOKE_DEFAULT', token=token)


_tokens = itertools.count(1)
_watches: dict[str, Watch] = {}
