"""Shows Blender's images in a notebook as pictures."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.formatters import DisplayFormatter


def register(formatter: DisplayFormatter) -> None:
    """Have images, the render result among them, shown as PNG."""
    formatter.formatters["image/png"].for_type(bpy.types.Image, png)


def png(image: bpy.types.Image) -> bytes | None:
    """Return the image as PNG; None if there is nothing to see.

    A render is seen as its scene wants it, and any other image as it is.
    """
    is_render = image.type == 'RENDER_RESULT'
    if not is_render and not all(image.size):
        return None
    scene = bpy.context.scene
    settings = scene.render.image_settings
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        colours = {} if is_render else {"color_management": 'OVERRIDE'}
        stack.enter_context(changed(settings, **_PNG, **colours))
        if not is_render:
            stack.enter_context(changed(settings.view_settings, view_transform='Standard'))
        path = Path(folder) / "image.png"
        try:
            image.save_render(str(path), scene=scene)
        except RuntimeError:
            # Nothing has been rendered yet, or the image's file is missing.
            return None
        return path.read_bytes()


_PNG = {"media_type": 'IMAGE', "file_format": 'PNG', "color_mode": 'RGBA', "color_depth": '8'}


@contextlib.contextmanager
def changed(owner: Any, **values: Any) -> Iterator[None]:
    """Have settings differ for a while; those that this Blender does not know are left out."""
    before = {name: getattr(owner, name) for name in values if hasattr(owner, name)}
    try:
        for name in before:
            setattr(owner, name, values[name])
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
