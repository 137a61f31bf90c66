"""`builtin/render`."""

from __future__ import annotations

import aiobpy
from aiobpy.worker import views


@aiobpy.template(name="builtin/render", scene_from="scene")
def render(
    scene: aiobpy.BlendFile, camera: str = "", view_layer: str = "", transparent: bool = False
) -> None:
    """Render a .blend as it is.

    Args:
        scene: An input, or a path in a folder that jobs may read.
        camera: The name of a camera in it; its own if left out.
        view_layer: The only view layer to render; all that are switched on if left out.
        transparent: Leave the background out, where the format can.
    """
    views.use_camera(camera)
    views.use_view_layer(view_layer)
    if transparent:
        views.make_transparent()
