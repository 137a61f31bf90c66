"""The operator that hears events: one in each window, while somebody listens.

It dies with a file load and with its window, without a word that can be relied on. So what runs is
looked at, a few times a second, and after each load.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy import host, modal
from aiobpy.ui import plain_event, registered
from aiobpy.ui.listeners import Listener, Listeners

if TYPE_CHECKING:
    import asyncio

_LOOK_AGAIN: Final = 0.25
"""Seconds until a new window is listened to."""


class AIOBPY_OT_listen(bpy.types.Operator):
    """Hear events for add-ons that await them"""

    bl_idname = "aiobpy.listen"
    bl_label = "Listen"
    bl_options = {'INTERNAL'}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.modal_handler_add(self)
        return {'RUNNING_MODAL'}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        # Mouse motions are many: what nobody wants is not even copied.
        if not _listeners.want(event.type, event.value):
            return {'PASS_THROUGH'}
        number = list(context.window_manager.windows).index(context.window)
        if _listeners.hear(plain_event.copy(event, context.window, number)):
            return {'RUNNING_MODAL'}
        return {'PASS_THROUGH'}


def begin(listener: Listener) -> None:
    """Listen from now on."""
    global _loop
    if _loop is None:
        _loop = host.loop()
        host.on_shut_down(_end_all)
    _listeners.add(listener)
    registered.after_each_load(_look_soon)
    _look()


def end(listener: Listener) -> None:
    """Listen no more. Does nothing if that has ended."""
    listener.close()
    _listeners.remove(listener)
    if not _listeners:
        # Not here: this may be called within the operator, by what a listener does.
        _look_soon()


def _end_all() -> None:
    global _loop, _next_look
    _loop = _next_look = None
    _listeners.clear()


def _look_soon() -> None:
    # In a context of nobody's: one add-on's end must not end it for the others.
    if _loop is not None and not _loop.is_closed():
        _loop.call_soon(_look, context=contextvars.Context())


def _look() -> None:
    """Have the operator run in every window, or in none if nobody listens."""
    global _next_look
    if _next_look is not None:
        _next_look.cancel()
        _next_look = None
    if not _listeners or _loop is None:
        registered.drop(AIOBPY_OT_listen)
        return
    registered.ensure(AIOBPY_OT_listen)
    for window in bpy.context.window_manager.windows:
        if not _runs_in(window):
            with bpy.context.temp_override(window=window):
                bpy.ops.aiobpy.listen('INVOKE_DEFAULT')
    _next_look = _loop.call_later(_LOOK_AGAIN, _look, context=contextvars.Context())


def _runs_in(window: Any) -> bool:
    return any(name == "AIOBPY_OT_listen" for name, _ in modal.running_in(window))


_listeners = Listeners()
_loop: asyncio.AbstractEventLoop | None = None
_next_look: asyncio.TimerHandle | None = None
