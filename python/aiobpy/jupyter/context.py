"""What a cell finds in a Blender with windows, and leaves: as if the person had done it there."""

from __future__ import annotations

import contextlib

import bpy


def viewport_context() -> contextlib.AbstractContextManager[object]:
    """Return a manager in which operators find a window and, if one is shown, a 3D viewport.

    Blender calls the loop by a timer, where the context has no area, and may have no window.
    """
    context = bpy.context
    windows = context.window_manager.windows
    if not windows or context.area is not None:
        return contextlib.nullcontext()
    window = context.window or windows[0]
    members = {"window": window}
    for area in window.screen.areas:
        if area.type == 'VIEW_3D':
            members["area"] = area
            members["region"] = next(item for item in area.regions if item.type == 'WINDOW')
            break
    override: contextlib.AbstractContextManager[object] = context.temp_override(**members)
    return override


def push_undo(_result: object) -> None:
    """Make what a cell has done a step that the person can undo."""
    with viewport_context():
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message="Notebook cell")
