"""`builtin/turntable`."""

from __future__ import annotations

from typing import Annotated

import aiobpy
from aiobpy.worker import views


@aiobpy.template(name="builtin/turntable", scene_from="scene", formats=("mp4", "webm"))
def turntable(
    scene: aiobpy.BlendFile,
    output: aiobpy.Output,
    pictures: Annotated[int, aiobpy.Range(2, 3600)] = 72,
    elevation: Annotated[float, aiobpy.Range(-89, 89)] = 20.0,
    lens: Annotated[float, aiobpy.Range(5, 500)] = 50.0,
) -> None:
    """Make a video of a .blend from all around, once around it.

    Args:
        scene: An input, or a path in a folder that jobs may read.
        pictures: In all; `fps` of the output says how many a second.
        elevation: Of the camera above the horizon, in degrees.
        lens: Focal length in millimetres.
    """
    output.set_up()
    views.light_if_dark()
    views.use_camera_or_all(whole=True, lens=lens)
    around = views.Orbit(elevation)
    output.render_video(range(pictures), lambda step: around.look(360.0 * step / pictures))
