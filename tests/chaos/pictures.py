"""Reads back the number that a picture shows."""

from __future__ import annotations

import struct
import zlib
from typing import Final

LEVELS: Final = 64
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def number_in(png: bytes) -> int:
    """Return the number that the first pixel stands for.

    Args:
        png: A PNG of 8 bits per channel, RGB or RGBA, not interlaced (ISO/IEC 15948).

    Raises:
        ValueError: It is no such picture, or it is cut short.
    """
    if not png.startswith(_SIGNATURE) or b"IEND" not in png[-12:]:
        raise ValueError("it is no whole PNG")
    place, data = len(_SIGNATURE), b""
    depth = colour = 0
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, chunk = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        if zlib.crc32(kind + chunk) != struct.unpack_from(">I", png, place + 8 + length)[0]:
            raise ValueError(f"the chunk {kind!r} is damaged")
        if kind == b"IHDR":
            depth, colour = chunk[8], chunk[9]
        if kind == b"IDAT":
            data += chunk
        place += 12 + length
    if depth != 8 or colour not in {2, 6}:
        raise ValueError(f"its depth is {depth} and its type of colour {colour}")
    # Of the first row, whichever filter it has, the first pixel is as it is: all to its left is 0.
    red, green, blue = zlib.decompress(data)[1:4]
    return (red // 4) * LEVELS**2 + (green // 4) * LEVELS + blue // 4
