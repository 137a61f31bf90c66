"""Many small pictures of the open scene, and one picture of them all."""

from __future__ import annotations

import array
from functools import partial
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import problems, views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Step = tuple[str, "Callable[[], None]"]
"""What a small picture is of, and how the scene is set up for it."""
_MOST_PIXELS = 64_000_000


def steps(of: str, most: int) -> list[Step]:
    """Return what there are to be pictures of.

    Args:
        of: `cameras`, `objects`, `collections` or `frames`.
        most: No more than so many.

    Raises:
        JobError: There is nothing.
    """
    found = {
        "cameras": _cameras,
        "objects": _objects,
        "collections": _collections,
        "frames": _frames,
    }[of](most)
    if not found:
        error = ValueError(f"the scene has no {of} to show")
        raise problems.parameter_unfit("builtin/contact_sheet", error, "of")
    return found[:most]


def join(parts: Sequence[Path], columns: int, side: int, path: Path) -> None:
    """Put square pictures beside and below one another, the first at the top left.

    Raises:
        JobError: They would make too large a picture.
    """
    columns = min(columns, len(parts))
    rows = -(-len(parts) // columns)
    width, height = columns * side, rows * side
    if width * height > _MOST_PIXELS:
        error = ValueError(f"{len(parts)} pictures of {side} pixels make too large a sheet")
        raise problems.parameter_unfit("builtin/contact_sheet", error, "size")
    pixels = array.array("f", bytes(16 * width * height))
    for index, part in enumerate(parts):
        row, column = divmod(index, columns)
        _copy(part, pixels, side, ((rows - 1 - row) * side * width + column * side) * 4, width)
    sheet = bpy.data.images.new("Contact sheet", width, height, alpha=True)
    sheet.pixels.foreach_set(pixels)
    sheet.filepath_raw, sheet.file_format = str(path), 'PNG'
    sheet.save()
    bpy.data.images.remove(sheet)


def _copy(part: Path, pixels: array.array[float], side: int, start: int, width: int) -> None:
    image = bpy.data.images.load(str(part))
    own = array.array("f", bytes(16 * side * side))
    image.pixels.foreach_get(own)
    bpy.data.images.remove(image)
    for row in range(side):
        at = start + row * width * 4
        pixels[at : at + side * 4] = own[row * side * 4 : (row + 1) * side * 4]


def _cameras(_most: int) -> list[Step]:
    scene = bpy.context.scene
    cameras = [thing for thing in scene.objects if thing.type == 'CAMERA']
    if not cameras:
        return [("all", partial(views.show_all, None))]
    return [(one.name, partial(setattr, scene, "camera", one)) for one in cameras]


def _objects(_most: int) -> list[Step]:
    shown = [thing for thing in bpy.context.scene.objects if thing.type in views.SHAPES]
    shown = [thing for thing in shown if not thing.hide_render]
    return [(one.name, partial(_show_alone, [one], shown)) for one in shown]


def _collections(_most: int) -> list[Step]:
    shown = [thing for thing in bpy.context.scene.objects if thing.type in views.SHAPES]
    found: list[Step] = []
    for collection in bpy.context.scene.collection.children_recursive:
        own = [thing for thing in collection.all_objects if thing.type in views.SHAPES]
        if own:
            found.append((collection.name, partial(_show_alone, own, shown)))
    return found


def _frames(most: int) -> list[Step]:
    scene = bpy.context.scene
    first, last = scene.frame_start, scene.frame_end
    count = min(most, last - first + 1)
    frames = [first + round(index * (last - first) / max(count - 1, 1)) for index in range(count)]
    views.use_camera_or_all(whole=False)
    return [(f"frame {frame}", partial(scene.frame_set, frame)) for frame in frames]


def _show_alone(wanted: Sequence[Any], shown: Sequence[Any]) -> None:
    for thing in shown:
        thing.hide_render = thing not in wanted
    views.show_all(wanted)
