"""How large the tiles are that a worker renders in."""

from __future__ import annotations

import pytest

from aiobpy.worker.tiles import tile_size


@pytest.mark.parametrize(
    ("width", "height", "samples", "side"),
    [
        (160, 160, 4, None),
        (320, 240, 16, 128),
        (640, 480, 32, 256),
        (960, 720, 96, 256),
        (1920, 1080, 128, 512),
        (16384, 16384, 1, 2048),
        (64, 64, 4096, 128),
    ],
)
def test_tiles_are_few_but_enough_to_report_by(
    width: int, height: int, samples: int, side: int | None
) -> None:
    assert tile_size(width, height, samples) == side
