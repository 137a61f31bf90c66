"""`builtin/catalogue`."""

from __future__ import annotations

from typing import Any

import aiobpy
from aiobpy.worker import contents


# It tells which files are missing beside the scene, too.
@aiobpy.template(name="builtin/catalogue", scene_from="scene", formats=("json",), cache=False)
def catalogue(scene: aiobpy.BlendFile, unused: bool = True) -> dict[str, Any]:
    """List what is in a .blend: its data-blocks, its assets, and the files that are missing.

    Args:
        scene: An input, or a path in a folder that jobs may read.
        unused: List data-blocks that nothing uses, too.
    """
    return contents.of_open_file(with_unused=unused)
