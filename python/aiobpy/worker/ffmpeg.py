"""Videos, and the pictures that Blender cannot write: made by the program ffmpeg.

It is started with nothing to read and with a list of arguments, never through a shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from aiobpy.worker import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_PLAIN = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact")
"""No times and no versions in the file: the same pictures make the same file."""
_EVEN = "scale=trunc((iw+1)/2)*2:trunc((ih+1)/2)*2:out_color_matrix=bt709,format=yuv420p"
"""What players can show: colours of half the size, so an even number of pixels each way."""
_FULL = "scale=out_color_matrix=bt709:out_range=full,format=yuv444p"
_BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709")


def find(kind: str) -> str:
    """Return the program.

    Raises:
        JobError: It is not there; `kind` is what it was needed for.
    """
    program = os.environ.get("AIOBPY_FFMPEG") or shutil.which("ffmpeg")
    if program is None or not os.access(program, os.X_OK):
        raise problems.ffmpeg_missing(kind)
    return program


def video(
    pictures: str, path: Path, *, kind: str, fps: float, quality: int, report: Callable[[int], None]
) -> None:
    """Make a video of pictures.

    Args:
        pictures: Their names, as in `/tmp/frames/%06d.png`, from 0 on.
        path: Where the video goes.
        kind: `mp4` (H.264) or `webm` (VP9).
        fps: Pictures a second.
        quality: 1 to 100.
        report: Called with the number of pictures that are done; may raise to end it.

    Raises:
        JobError: ffmpeg is missing, or failed.
    """
    codec: Sequence[str]
    if kind == "mp4":
        crf = round(51 - 0.36 * quality)
        codec = ("libx264", "-crf", str(crf), "-preset", "medium", "-movflags", "+faststart")
    else:
        crf = round(63 - 0.4 * quality)
        codec = ("libvpx-vp9", "-crf", str(crf), "-b:v", "0", "-row-mt", "1", "-cpu-used", "3")
    arguments = ("-framerate", f"{fps:g}", "-i", pictures, "-vf", _EVEN, *_BT709)
    _run(kind, (*arguments, "-color_trc", "bt709", "-c:v", *codec, *_PLAIN, str(path)), report)


def avif(picture: Path, path: Path, *, quality: int) -> None:
    """Make an AVIF of a picture. ffmpeg keeps no transparency in it.

    Raises:
        JobError: ffmpeg is missing, or failed.
    """
    crf = str(round(63 - 0.5 * quality))
    colours = (*_BT709, "-color_trc", "iec61966-2-1", "-color_range", "pc")
    codec = ("libaom-av1", "-still-picture", "1", "-crf", crf, "-cpu-used", "6")
    arguments = ("-i", str(picture), "-vf", _FULL, *colours, "-c:v", *codec, "-frames:v", "1")
    _run("avif", (*arguments, *_PLAIN, "-f", "avif", str(path)), lambda _: None)


def _run(kind: str, arguments: Sequence[str], report: Callable[[int], None]) -> None:
    # Standard input is the link to the supervisor: it is not ffmpeg's to read.
    quiet = ("-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-progress", "pipe:1")
    with subprocess.Popen(  # noqa: S603 - a program of the server's, no shell
        [find(kind), *quiet, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        printed: list[str] = []
        try:
            for line in process.stdout or ():
                name, _, value = line.strip().partition("=")
                if name == "frame" and value.isdigit():
                    report(int(value))
                elif not _is_progress(name):
                    printed.append(line)
        except BaseException:
            process.kill()
            raise
        code = process.wait()
    if code:
        raise problems.ffmpeg_failed(kind, code, "".join(printed[-50:]).rstrip())


def _is_progress(name: str) -> bool:
    """Whether it is one of the values that ffmpeg tells of its progress."""
    return name in _PROGRESS or name.startswith("stream_")


_PROGRESS = frozenset(
    (
        "fps",
        "bitrate",
        "total_size",
        "out_time_us",
        "out_time_ms",
        "out_time",
        "dup_frames",
        "drop_frames",
        "speed",
        "progress",
    )
)
