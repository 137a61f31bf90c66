"""A template that makes a video, frame by frame as it is told."""

from __future__ import annotations

import ctypes

import bpy

import aiobpy


@aiobpy.template(formats=("mp4",))
def film(output: aiobpy.Output, gate: str) -> None:
    """A film of two grey frames.

    Args:
        gate: A pipe to read a byte from before each frame but the first.
    """
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.world = bpy.data.worlds.new("Grey")
    scene.view_settings.view_transform = 'Standard'
    bpy.ops.object.camera_add()
    scene.camera = bpy.context.object

    def set_step(step: int) -> None:
        if step > 0:
            with open(gate, "rb") as opened:
                ctypes.PyDLL(None).read(opened.fileno(), ctypes.create_string_buffer(1), 1)

    output.set_up()
    output.render_video(range(2), set_step)
