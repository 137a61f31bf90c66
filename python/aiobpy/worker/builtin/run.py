"""`builtin/run`."""

from __future__ import annotations

from typing import Any

import aiobpy
from aiobpy.worker import functions


@aiobpy.template(
    name="builtin/run",
    scene_from="scene",
    formats=("json", "png", "jpeg", "webp", "exr", "mp4", "webm", "glb", "usdz", "usdc", "fbx"),
    # What a function does is its own affair.
    cache=False,
)
def run(
    output: aiobpy.Output,
    file: str,
    function: str,
    arguments: dict[str, Any] = {},  # noqa: B006 - it is read, and shown as the default
    scene: aiobpy.BlendFile | None = None,
) -> Any:
    """Call a function of a file that the server trusts, and keep what it returns.

    The function's annotations are checked as those of a template are. One with a parameter of the
    type `aiobpy.Output` makes the job's file itself.

    Args:
        file: A Python file in a folder that the server trusts, by its path in that folder.
        function: The name of a typed function in it.
        arguments: What it is called with.
        scene: What is open when it is called; Blender's empty scene if left out.
    """
    return functions.call(file, function, arguments, output)
