"""A template that is sent a file."""

from __future__ import annotations

import bpy

import aiobpy


@aiobpy.template()
def poster(picture: aiobpy.Texture) -> None:
    """A poster, as large as what it shows.

    Args:
        picture: What it shows.
    """
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = 1
    scene.render.resolution_x, scene.render.resolution_y = picture.image().size
    bpy.ops.object.camera_add(location=(0, 0, 4))
    scene.camera = bpy.context.object
