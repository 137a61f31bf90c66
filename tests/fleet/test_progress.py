"""What Blender says within a frame, and what is made of it."""

from __future__ import annotations

import pytest

from aiobpy.worker.progress import SAMPLING, Progress, fraction, message

FOUR_TWO = (
    "Fra:1 Mem:11.55M (Peak 11.64M) | Time:00:00.29 | Remaining:00:00.11 | Mem:0.61M, Peak:0.71M "
    "| Scene, ViewLayer | "
)
"""As Blender 4.2 begins what it says."""


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("Mem: 0M | Synchronizing object | Cube", None),
        ("Mem: 1M | Updating Scene BVH | Building BVH 20%", None),
        ("Mem: 2M | Sample 0/32", 0.0),
        ("Remaining: 00:01.22 | Mem: 8M | Sample 16/32", SAMPLING / 2),
        ("Mem: 8M | Sample 32/32", SAMPLING),
        ("Mem: 8M | Rendered 0/4 Tiles, Sample 16/32", SAMPLING / 8),
        ("Mem: 8M | Rendered 3/4 Tiles, Sample 0/32", SAMPLING * 3 / 4),
        ("Mem: 8M | Rendered 4/4 Tiles", None),
        ("Rendering 16 / 64 samples", SAMPLING / 4),
        ("Mem: 8M | Finished", SAMPLING),
        ("Time: 00:00.92 (Saving: 00:00.08)", SAMPLING),
        (FOUR_TWO + "Rendered 3/6 Tiles, Sample 8/16", SAMPLING * 3.5 / 6),
        (FOUR_TWO + "Updating Shaders", None),
        (FOUR_TWO + "Finished", SAMPLING),
        ("Sample 0/0", 0.0),
        ("", None),
    ],
)
def test_a_fraction_is_read_from_what_blender_says(info: str, expected: float | None) -> None:
    assert fraction(info) == (None if expected is None else pytest.approx(expected))


def test_a_tile_that_has_just_been_counted_is_not_counted_twice() -> None:
    # Cycles counts the tile before it starts the samples anew.
    just_counted = fraction("Mem: 8M | Rendered 1/4 Tiles, Sample 64/64")
    assert just_counted == fraction("Mem: 8M | Rendered 1/4 Tiles, Sample 0/64")


def test_a_message_leaves_out_memory_and_times() -> None:
    said = "Remaining: 00:01.22 | Mem: 8M | Rendered 3/4 Tiles, Sample 5/32"
    assert message(said) == "Rendered 3/4 Tiles, Sample 5/32"
    assert message("Mem: 1M | Updating Scene BVH | Building") == "Updating Scene BVH | Building"
    assert message("Mem: 1M") == "Mem: 1M"
    assert message(FOUR_TWO + "Sample 5/32") == "Sample 5/32"
    assert message(FOUR_TWO + "Updating Mesh | Computing normals") == (
        "Updating Mesh | Computing normals"
    )


def test_progress_never_goes_back() -> None:
    progress = Progress(least_step=0.0, least_seconds=0.0)
    said = ["Sample 10/20", "Updating Film", "Sample 2/20", "Sample 20/20"]
    told = [progress.take(info, float(now)) for now, info in enumerate(said)]
    fractions = [each[0] for each in told if each]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(SAMPLING)


def test_not_every_word_is_told() -> None:
    progress = Progress(least_step=0.01, least_seconds=0.05)
    assert progress.take("Sample 1/1000", 0.0)
    assert progress.take("Sample 500/1000", 0.01) is None, "too soon"
    assert progress.take("Sample 502/1000", 0.06) == (SAMPLING * 0.502, "Sample 502/1000")
    assert progress.take("Sample 503/1000", 1.0) is None, "too little"


def test_a_new_kind_of_work_is_told_at_once() -> None:
    progress = Progress(least_step=0.01, least_seconds=0.05)
    assert progress.take("Mem: 0M | Synchronizing object | Cube", 0.0)
    assert progress.take("Mem: 0M | Synchronizing object | Light", 0.1) is None
    assert progress.take("Mem: 0M | Updating Shaders", 0.2) == (0.0, "Updating Shaders")
