"""`builtin/preview`."""

from __future__ import annotations

from typing import Annotated

import aiobpy
from aiobpy.worker import views


@aiobpy.template(
    name="builtin/preview",
    scene_from="scene",
    formats=("png", "jpeg", "webp", "avif"),
)
def preview(
    scene: aiobpy.BlendFile,
    output: aiobpy.Output,
    size: Annotated[int, aiobpy.Range(16, 2048)] = 256,
    whole: bool = False,
) -> None:
    """Make a small, quick picture of a .blend: of few samples, by Cycles.

    Args:
        scene: An input, or a path in a folder that jobs may read.
        size: The longer side, in pixels.
        whole: Show all there is, not what the scene's camera shows; so it is if there is none.
    """
    views.simplify()
    views.fit_into(size, size)
    views.use_camera_or_all(whole=whole)
    views.light_if_dark()
    output.render()
