"""One job the cold way: start Blender, load the scene, set what the customer chose, render, end.

Runs as `python cold_job.py …` with the bpy module, and in `blender -b --python cold_job.py -- …`.
It needs nothing but bpy, so that the cold way is as lean as it can be.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import bpy


def main(scene: str, out: str, choice: dict[str, Any]) -> None:
    """Render one picture of the mug."""
    bpy.ops.wm.open_mainfile(filepath=scene)
    red, green, blue = (int(choice["colour"][at : at + 2], 16) / 255 for at in (1, 3, 5))
    coat = bpy.data.materials["Coat"].node_tree.nodes["Principled BSDF"]
    coat.inputs["Base Color"].default_value = (red**2.2, green**2.2, blue**2.2, 1.0)
    bpy.data.node_groups["Engraving"].nodes["Text"].string = choice["text"]
    render = bpy.context.scene.render
    render.resolution_x = render.resolution_y = choice["pixels"]
    bpy.context.scene.cycles.samples = choice["samples"]
    render.filepath = out
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    scene_file, out_file, chosen = sys.argv[-3:]
    main(scene_file, out_file, json.loads(chosen))
