"""`builtin/contact_sheet`."""

from __future__ import annotations

from typing import Annotated, Literal

import aiobpy
from aiobpy.worker import sheets, views


@aiobpy.template(
    name="builtin/contact_sheet",
    scene_from="scene",
    formats=("png", "jpeg", "webp", "avif"),
)
def contact_sheet(
    scene: aiobpy.BlendFile,
    output: aiobpy.Output,
    of: Literal["cameras", "objects", "collections", "frames"] = "cameras",
    size: Annotated[int, aiobpy.Range(16, 1024)] = 192,
    columns: Annotated[int, aiobpy.Range(1, 32)] = 4,
    most: Annotated[int, aiobpy.Range(1, 256)] = 48,
) -> None:
    """Make one picture of many small ones of a .blend.

    Args:
        scene: An input, or a path in a folder that jobs may read.
        of: One by each camera, of each object or collection alone, or of frames at even distances.
        size: The sides of each, in pixels.
        columns: How many stand side by side.
        most: No more than so many.
    """
    views.simplify()
    views.fit_square(size)
    views.light_if_dark()
    steps = sheets.steps(of, most)
    parts = []
    for index, (name, show) in enumerate(steps):
        show()
        part = output.folder() / f"{index:04}.png"
        output.render_part(part, (index / len(steps), (index + 1) / len(steps)))
        output.progress((index + 1) / len(steps), f"{index + 1}/{len(steps)} {name}")
        parts.append(part)
    sheet = output.folder() / "sheet.png"
    sheets.join(parts, columns, size, sheet)
    output.convert(sheet)
