"""Makes small pictures of images; also a program, for a Blender of its own, which frees this one.

As a program it knows nothing of aiobpy: an order comes in as a line of JSON, and a line that begins
with `ANSWER` says what came of it. It ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

import bpy

ANSWER: Final = "aiobpy picture: "
_QUALITY: Final = 85


def main() -> None:
    """Do what is ordered until the input ends."""
    if hasattr(os, "nice"):
        os.nice(10)
    for line in sys.stdin:
        try:
            _make(json.loads(line))
            told = None
        except Exception as error:
            told = " ".join(str(error).split()) or type(error).__name__
        print(f"\n{ANSWER}{json.dumps(told)}", flush=True)  # noqa: T201 - to whom it serves
    # Past Blender's own end, which takes its time.
    os._exit(0)


def shrink(image: Any, width: int, file_format: str, target: str) -> None:
    """Write a small picture of an image, which is smaller itself afterwards.

    Args:
        image: A data-block that nobody needs.
        width: Pixels of the longer side; what is smaller stays so.
        file_format: As Blender calls it.
        target: Where to.

    Raises:
        RuntimeError: There is nothing to see, or Blender cannot write.
    """
    longer = max(image.size)
    if longer == 0:
        raise RuntimeError("it has no pixels, or its file is missing")
    if longer > width:
        image.scale(*(max(1, round(side * width / longer)) for side in image.size))
    image.file_format = file_format
    image.save(filepath=target, quality=_QUALITY)


def _make(order: dict[str, Any]) -> None:
    """Make what an order says.

    Args:
        order: `source` is the path of a file, or null, and `made` says how the image was made then;
            `width`, `file_format` and `target` are those of `shrink`; `colours` the colour space.
    """
    if order["source"] is None:
        image = bpy.data.images.new("small", *order["size"], float_buffer=order["is_float"])
        for name, value in order["made"].items():
            setattr(image, name, value)
    else:
        image = bpy.data.images.load(order["source"])
    try:
        image.colorspace_settings.name = order["colours"]
        shrink(image, order["width"], order["file_format"], order["target"])
    finally:
        bpy.data.images.remove(image)


if __name__ == "__main__":
    main()
