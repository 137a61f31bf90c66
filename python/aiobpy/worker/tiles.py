"""How large the tiles are in which Cycles renders: a function of values."""

from __future__ import annotations

_TILE_SIZES = (2048, 1024, 512, 256, 128)
_FEWEST_TILES = 6
_SHORT_FRAME = 500_000
"""Samples in all that take a fraction of a second: nobody needs to hear how far such a frame is."""


def tile_size(width: int, height: int, samples: int) -> int | None:
    """Return the largest tile side that gives enough tiles to report by; None: no tiles."""
    if width * height * samples < _SHORT_FRAME:
        return None
    for side in _TILE_SIZES:
        if -(-width // side) * -(-height // side) >= _FEWEST_TILES:
            return side
    return _TILE_SIZES[-1]
