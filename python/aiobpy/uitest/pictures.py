"""Pictures of Blender's window, read from where Blender draws.

`bpy.ops.screen.screenshot` reads what has been handed to the screen, which software GL (Mesa 25 and
newer) leaves black. What Blender draws into holds the same picture and can be read.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import gpu

from aiobpy.uitest.places import window
from aiobpy.uitest.waiting import passes

output: Path | None = None
"""The folder for pictures with a relative path; the plugin sets it."""


async def screenshot(path: str | Path) -> Path:
    """Save what the main window shows as a PNG, and return where it is.

    Args:
        path: A relative path ends in the plugin's output folder, which is outside Blender.
    """
    # What has changed is drawn first.
    await passes(2)
    return save(path)


def save(path: str | Path) -> Path:
    """Save what the main window showed last as a PNG, and return where it is."""
    place = (output or Path.cwd()) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    width, height = window().width, window().height
    pixels = gpu.state.active_framebuffer_get().read_color(0, 0, width, height, 4, 0, 'UBYTE')
    pixels.dimensions = width * height * 4
    place.write_bytes(_png(width, height, bytes(memoryview(pixels))))
    return place


def _png(width: int, height: int, rgba: bytes) -> bytes:
    """A PNG of rows that go from the bottom up. What is see-through is left out."""
    colours = bytearray(width * height * 3)
    for channel in range(3):
        colours[channel::3] = rgba[channel::4]
    stride = width * 3
    rows = (colours[row * stride : (row + 1) * stride] for row in reversed(range(height)))
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )
