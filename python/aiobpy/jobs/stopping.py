"""Stops a render or a bake that runs beside the interface.

Blender lets a person do that, with Escape, and has no call for it. Renders and bakes look at one
flag of the program's, though, which also a render sets whose engine reports an error. So another
scene is rendered, by an engine that does nothing but that; it takes a millisecond.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import bpy

from aiobpy import main_loop, modal

SCENE: Final = "aiobpy: stop"
"""The scene that renders are stopped with. It is there for a moment only."""

_LOOK_AGAIN: Final = 0.01
"""Seconds between two looks at whether the job has ended."""


def is_rendering() -> bool:
    """Return whether a render runs beside the interface."""
    return is_running('RENDER')


def is_running(job: str) -> bool:
    """Return whether a job runs: `'RENDER'` or `'OBJECT_BAKE'`."""
    return bool(bpy.app.is_job_running(job))


async def stop(job: str) -> None:
    """Stop a job, and wait for its end: with Cycles, for the samples under way.

    Blender takes it as if somebody had pressed Escape: nothing is written, and `render_cancel` or
    `object_bake_cancel` announces it. Where Blender's main loop waits for us, as when an add-on is
    disabled, nobody can wait for the job: it ends soon after.

    Args:
        job: `'RENDER'` or `'OBJECT_BAKE'`.
    """
    if not is_running(job):
        return
    _break_off()
    if not main_loop.is_ticked():
        _clean_up_later()
        return
    try:
        while is_running(job):  # noqa: ASYNC110 - Blender tells nobody when a job ends
            await asyncio.sleep(_LOOK_AGAIN)
    finally:
        if _clean_up() is not None:
            _clean_up_later()


def window_of_render() -> Any:
    """Return the window that the render's operator lives in; None if there is none."""
    for window in bpy.context.window_manager.windows:
        if any(name == 'RENDER_OT_render' for name, _ in modal.running_in(window)):
            return window
    return None


def window_addresses() -> frozenset[int]:
    """Return what tells the windows that are open apart."""
    return frozenset(window.as_pointer() for window in bpy.context.window_manager.windows)


class _Engine(bpy.types.RenderEngine):  # type: ignore[misc]
    bl_idname = 'AIOBPY_STOP'
    bl_label = "Stop"

    def render(self, _depsgraph: Any) -> None:
        self.report({'ERROR'}, "Render cancelled")


def _break_off() -> None:
    _remove_what_is_left()
    bpy.utils.register_class(_Engine)
    scene = bpy.data.scenes.new(SCENE)
    scene.camera = bpy.data.objects.new(SCENE, bpy.data.cameras.new(SCENE))
    scene.render.engine = _Engine.bl_idname
    scene.render.resolution_x = scene.render.resolution_y = 4
    # The error that it reports is raised.
    with contextlib.suppress(RuntimeError), main_loop.with_a_window():
        bpy.ops.render.render(scene=scene.name)


def _clean_up_later() -> None:
    if not bpy.app.timers.is_registered(_clean_up):
        bpy.app.timers.register(_clean_up, persistent=True)


def _clean_up() -> float | None:
    """Blender crashes if an engine goes while a job runs."""
    if is_running('RENDER') or is_running('OBJECT_BAKE'):
        return _LOOK_AGAIN
    _remove_what_is_left()
    return None


def _remove_what_is_left() -> None:
    if _Engine.is_registered:
        bpy.utils.unregister_class(_Engine)
    for data in (bpy.data.scenes, bpy.data.objects, bpy.data.cameras):
        if SCENE in data:
            data.remove(data[SCENE])
