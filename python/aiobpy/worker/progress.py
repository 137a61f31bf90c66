"""How far a frame is, from what Blender says while it renders: functions of values."""

from __future__ import annotations

import re

SAMPLING = 0.95
"""How much is done once all samples are taken: denoising, compositing and saving follow."""

_TILES = re.compile(r"Rendered (\d+)/(\d+) Tiles")
_SAMPLES = re.compile(r"Sample (\d+)/(\d+)|Rendering (\d+) / (\d+) samples")
_MEASUREMENT = re.compile(r"(?:Mem|Peak|Time|Remaining|Fra)\b")
_AFTER_SAMPLING = re.compile(r"\b(?:Finish|Denois|Compositing|Saving|Reading full buffer)")


def fraction(info: str) -> float | None:
    """Return how far a frame is, from 0 to 1, by what Blender said; None if it did not say.

    Cycles says `Mem: 8M | Sample 12/128`, with tiles `Rendered 3/20 Tiles, Sample 12/128`; EEVEE
    says `Rendering 12 / 64 samples`.
    """
    samples = _SAMPLES.search(info)
    if samples is None:
        return SAMPLING if _AFTER_SAMPLING.search(info) else None
    taken, of = (int(number) for number in samples.groups() if number is not None)
    tiles = _TILES.search(info)
    if tiles is None:
        return SAMPLING * _ratio(taken, of)
    # All samples taken: either this tile has just ended and is not counted yet, or the one before
    # it has and is counted already.
    within = _ratio(taken, of) if taken < of else 0.0
    done, tile_count = (int(number) for number in tiles.groups())
    return SAMPLING * min((done + within) / max(tile_count, 1), 1.0)


def message(info: str) -> str:
    """Return what a person wants to read of what Blender said: no memory, no times.

    Blender 4 puts the frame before all that, and the names of scene and view layer after it.
    """
    parts = [part.strip() for part in info.split("|")]
    kept = [part for part in parts if not _MEASUREMENT.match(part)]
    if info.startswith("Fra:") and len(kept) > 1:
        del kept[0]
    return " | ".join(kept) or info.strip()


class Progress:
    """What is worth telling of a frame: never goes back, and not every word.

    Args:
        least_step: Less than this much more progress, from 0 to 1, is not told …
        least_seconds: … and none is told so soon after the last time.
    """

    def __init__(self, least_step: float = 0.01, least_seconds: float = 0.05) -> None:
        self._least_step = least_step
        self._least_seconds = least_seconds
        self._fraction = 0.0
        self._told_at = float("-inf")
        self._told_fraction = -1.0
        self._told_message = ""

    def take(self, info: str, now: float) -> tuple[float, str] | None:
        """Return the fraction and message to tell after Blender said `info` at `now`, if any."""
        known = fraction(info)
        self._fraction = max(self._fraction, known or 0.0)
        text = message(info)
        is_step = self._fraction >= self._told_fraction + self._least_step
        is_news = known is None and text.split("|")[0] != self._told_message.split("|")[0]
        if not (is_step or is_news) or now < self._told_at + self._least_seconds:
            return None
        self._told_at, self._told_fraction, self._told_message = now, self._fraction, text
        return self._fraction, text


def _ratio(part: int, whole: int) -> float:
    return min(part / whole, 1.0) if whole else 0.0
