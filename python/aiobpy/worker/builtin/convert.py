"""`builtin/convert`."""

from __future__ import annotations

import aiobpy
from aiobpy.worker import exporters


@aiobpy.template(
    name="builtin/convert",
    scene_from="scene",
    formats=("glb", "usdz", "usdc", "fbx"),
)
def convert(
    scene: aiobpy.BlendFile,
    output: aiobpy.Output,
    collection: str = "",
    animation: bool = True,
    apply_modifiers: bool = True,
) -> None:
    """Convert a .blend to glTF, USD or FBX, with its pictures inside the one file.

    Args:
        scene: An input, or a path in a folder that jobs may read.
        collection: The only collection to convert; all of the scene if left out.
        animation: Whether what moves still does.
        apply_modifiers: Whether objects become what their modifiers make of them.
    """
    output.progress(0.1, f"Exporting {output.format}")
    exporters.export(
        output.path,
        output.format,
        collection=collection,
        animation=animation,
        apply_modifiers=apply_modifiers,
    )
