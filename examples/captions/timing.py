"""When each caption is shown: subtitles as SubRip has them, or one caption after another."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})\s*-->\s*(\d+):(\d\d):(\d\d)[,.](\d{1,3})")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>|\{\\[^}]*\}")


@dataclass(frozen=True)
class Caption:
    """A text, and when it is shown, in seconds."""

    text: str
    begin: float
    seconds: float


def one_after_another(text: str, seconds: float) -> list[Caption]:
    """Return the captions of a text that has slashes between them.

    Raises:
        ValueError: There is none.
    """
    texts = [part.strip() for part in text.split("/")]
    captions = [
        Caption(part, number * seconds, seconds)
        for number, part in enumerate(part for part in texts if part)
    ]
    if not captions:
        msg = "there is no text to show"
        raise ValueError(msg)
    return captions


def read_subtitles(text: str) -> list[Caption]:
    """Return the captions of a SubRip file, without markup.

    Raises:
        ValueError: It has none.
    """
    captions = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        while lines and not _TIMES.search(lines[0]):
            # The number, or nothing of ours.
            lines.pop(0)
        if not lines:
            continue
        times = _TIMES.search(lines[0])
        assert times is not None
        begin, end = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        shown = _MARKUP.sub("", "\n".join(lines[1:])).strip()
        if shown and end > begin:
            captions.append(Caption(shown, begin, end - begin))
    if not captions:
        msg = "this file has no subtitles: they look like '00:00:01,000 --> 00:00:03,500'"
        raise ValueError(msg)
    return captions


def _seconds(parts: tuple[str, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000
