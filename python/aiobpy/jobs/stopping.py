"""Stops a render that runs beside the interface.

Blender lets a person do that, with Escape, and no script. But a job ends with the operator that
started it, and that with its window; and an undo ends all jobs first. The picture of a job that
ends so counts as complete, unless its operator has reported an error.
"""

from __future__ import annotations

import logging
from typing import Any

import bpy

from aiobpy import main_loop
from aiobpy.host.gui import idname_of


def is_rendering() -> bool:
    """Return whether a render runs beside the interface."""
    return bool(bpy.app.is_job_running('RENDER'))


def window_addresses() -> frozenset[int]:
    """Return what tells the windows that are open apart."""
    return frozenset(window.as_pointer() for window in bpy.context.window_manager.windows)


def window_of_render() -> Any:
    """Return the window that the render's operator lives in; None if there is none."""
    return _find()[0]


async def stop(windows_before: frozenset[int]) -> bool:
    """Stop the render that runs, and return whether that could be done.

    Blender waits for the samples under way, well under a second with Cycles on a CPU. A window that
    the render has opened is closed. Without one, an undo and a redo stop the render: nothing
    changes by them, but data-blocks that are held in variables are gone, and other jobs end too.

    Args:
        windows_before: The windows that were open before the render began.
    """
    if not is_rendering():
        return True
    window = window_of_render()
    if window is not None and window.as_pointer() not in windows_before:
        _report_an_error()
        with bpy.context.temp_override(window=window):
            bpy.ops.wm.window_close()
    elif _may_undo():
        await main_loop.hands_off()
        has_left = _leave_full_screen(window)
        if has_left:
            # That has changed what the context is; the next pass has a new one.
            await main_loop.frame()
        if is_rendering():
            # What is reported pops up, and Blender 4.3 crashes when a picture fills the screen
            # again while it is open. Other add-ons hear of a complete render then.
            if not has_left:
                _report_an_error()
            _undo_and_redo()
    if is_rendering():
        _log.warning(
            "a render was cancelled, but Blender goes on with it: while undo is off or a bake runs,"
            " nothing stops it but Escape"
        )
        return False
    return True


def _find() -> tuple[Any, Any]:
    for window in bpy.context.window_manager.windows:
        for operator in window.modal_operators:
            if idname_of(operator) == 'RENDER_OT_render':
                return window, operator
    return None, None


def _report_an_error() -> None:
    # Right before the job is ended: at the next event Blender shows and forgets what is reported.
    _, operator = _find()
    if operator is not None:
        operator.report({'ERROR'}, "Render cancelled")


def _may_undo() -> bool:
    # A bake does not hear that it is to stop: an undo would wait for its end.
    is_on = bpy.context.preferences.edit.use_global_undo
    return is_on and not bpy.app.is_job_running('OBJECT_BAKE')


def _leave_full_screen(window: Any) -> bool:
    """Close the picture where it fills the window, as Escape does; return whether it did."""
    if window is None or not window.screen.show_fullscreen:
        return False
    for area in window.screen.areas:
        if area.type == 'IMAGE_EDITOR':
            with bpy.context.temp_override(window=window, area=area):
                bpy.ops.render.view_cancel()
            return True
    return False


def _undo_and_redo() -> None:
    with main_loop.with_a_window():
        # What is there now becomes a step, to come back to.
        bpy.ops.ed.undo_push(message="Cancel Render")
        bpy.ops.ed.undo()
        bpy.ops.ed.redo()


_log = logging.getLogger(__name__)
