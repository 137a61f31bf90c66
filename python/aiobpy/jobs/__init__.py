"""Blender's long jobs as awaitables: render, bake, save, open.

With windows they run beside the interface, as F12 does; without, they block, as in any script. No
job of Blender's own is made faster or split here.
"""

from aiobpy.jobs.baking import bake
from aiobpy.jobs.files import open_file, save
from aiobpy.jobs.outcomes import (
    Baked,
    BakeError,
    BlendFile,
    BlendFileError,
    Rendered,
    RenderError,
    RenderProgress,
    RenderStopped,
)
from aiobpy.jobs.rendering import render

__all__ = [
    "BakeError",
    "Baked",
    "BlendFile",
    "BlendFileError",
    "RenderError",
    "RenderProgress",
    "RenderStopped",
    "Rendered",
    "bake",
    "open_file",
    "render",
    "save",
]
