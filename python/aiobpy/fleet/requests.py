"""What clients ask for, as the API has it: the bodies of requests, made of plain values."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMATS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".avif": "avif",
    ".exr": "exr",
    ".mp4": "mp4",
    ".webm": "webm",
    ".json": "json",
    ".glb": "glb",
    ".usdz": "usdz",
    ".usdc": "usdc",
    ".fbx": "fbx",
}


def job_request(
    template: str,
    params: Mapping[str, Any],
    *,
    output: str | os.PathLike[str] | None = None,
    frames: tuple[int, int] | None = None,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    cache: bool = True,
    **wanted: Any,
) -> dict[str, Any]:
    """Return the body of `POST /api/v1/jobs`.

    Args:
        template: Its name.
        params: The template's parameters: what JSON can say, dataclasses and paths.
        output: The file that it is for: its ending says the format.
        frames: The first and the last of a video.
        settings: Other members of `output`.
        options: Other members of the job.
        cache: Whether what an earlier job has made of the same will do.
        wanted: Members of `output`; those that are None are left out.

    Raises:
        ValueError: The file's ending says no format that fleets make.
    """
    made = {name: value for name, value in wanted.items() if value is not None}
    if output is not None and "format" not in made:
        made["format"] = format_of(output)
    if frames is not None:
        made["frames"] = {"first": frames[0], "last": frames[1]}
    made.update(settings or {})
    request: dict[str, Any] = {"template": template, "params": dict(params), **(options or {})}
    if made:
        request["output"] = made
    if not cache:
        request["cache"] = False
    return request


def format_of(output: str | os.PathLike[str]) -> str:
    """Return the format that a file's ending says.

    Raises:
        ValueError: It says none that fleets make.
    """
    ending = PurePath(output).suffix.lower()
    if ending not in _FORMATS:
        known = ", ".join(_FORMATS)
        name = os.fspath(output)
        msg = f"the ending of {name!r} says no format; end it in {known}, or give format="
        raise ValueError(msg)
    return _FORMATS[ending]
