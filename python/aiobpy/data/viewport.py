"""Pictures of a 3D view, as a person sees it; no setting and no render result is touched."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

import bpy

from aiobpy.data import problems

LARGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class View:
    """Which 3D view, and how large a picture.

    Attributes:
        area: Counts the 3D views of all windows, the largest first.
        width: Pixels; as on the screen if left out.
        height: Pixels; as the view's shape demands if left out.
    """

    area: int = 0
    width: int | None = None
    height: int | None = None


def picture(view: View = View()) -> bytes:
    """Return a PNG of a 3D view.

    Raises:
        Problem: 409, this Blender draws nothing, or has no such view; 422, a size does not fit.
    """
    if bpy.app.background:
        msg = "this Blender has no windows, so it draws no 3D view"
        raise problems.conflict(msg, "POST /api/v1/renders renders what the camera sees")
    window, area = _area(view.area)
    region = next(region for region in area.regions if region.type == 'WINDOW')
    width = view.width or region.width
    height = view.height or max(1, round(width * region.height / max(1, region.width)))
    wrong = [
        (f"/{name}", f"pixels from 1 to {LARGEST}")
        for name, size in (("width", width), ("height", height))
        if not 1 <= size <= LARGEST
    ]
    if wrong:
        raise problems.unfit(wrong)
    return _png(width, height, _drawn(window, area, region, width, height))


def _area(number: int) -> tuple[Any, Any]:
    found = [
        (window, area)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == 'VIEW_3D'
    ]
    found.sort(key=lambda pair: pair[1].width * pair[1].height, reverse=True)
    if not 0 <= number < len(found):
        msg = f"there is no 3D view {number}: this Blender shows {len(found)}"
        raise problems.conflict(msg, "open one, or count from 0, the largest first")
    return found[number]


def _drawn(window: Any, area: Any, region: Any, width: int, height: int) -> bytes:
    """Return the pixels, from the bottom up, as bytes of red, green, blue and alpha."""
    # It draws; nothing else here does.
    import gpu

    space = area.spaces.active
    with bpy.context.temp_override(window=window, area=area, region=region):
        try:
            offscreen = gpu.types.GPUOffScreen(width, height)
        except (RuntimeError, SystemError, ValueError) as error:
            raise problems.refused_by_blender("the view cannot be drawn", error) from None
        try:
            offscreen.draw_view3d(
                window.scene,
                window.view_layer,
                space,
                region,
                space.region_3d.view_matrix,
                space.region_3d.window_matrix,
                do_color_management=True,
                draw_background=True,
            )
            return bytes(offscreen.texture_color.read())
        finally:
            offscreen.free()


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """Return pixels as PNG (RFC 2083): 8 bits, no filter."""
    line = width * 4
    rows = (pixels[start : start + line] for start in range((height - 1) * line, -1, -line))
    scan = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), _chunk(b"IDAT", scan), _chunk(b"IEND", b"")]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
