"""What a job is to make, for a template that makes it itself: `output: aiobpy.Output`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, ClassVar

import bpy

from aiobpy import json_text
from aiobpy.worker import ffmpeg, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from aiobpy.worker.reporting import Reporter

_USUAL_QUALITY = 90
_ENCODING = 0.05
"""How much of a video's progress is its encoding."""


class Output:
    """The file that a job is to make.

    Args:
        request: A `wire::OutputRequest`.
        path: Where the file is to be; it does not exist yet.
        reporter: Tells how far it is.
    """

    is_given_by_worker: ClassVar[bool] = True

    def __init__(self, request: dict[str, Any], path: Path, reporter: Reporter) -> None:
        self.request = request
        self.path = path
        self.format: str = request["format"]
        """As in `png`, `mp4` or `json`."""
        self._reporter = reporter
        self._folder = path.with_name(path.name + ".parts")

    @property
    def quality(self) -> int:
        """Of what loses something, 1 to 100."""
        return int(self.request.get("quality") or _USUAL_QUALITY)

    @property
    def is_video(self) -> bool:
        """Whether many pictures are wanted."""
        return self.format in ("mp4", "webm")

    def folder(self) -> Path:
        """Return a folder for parts; it is removed with the job."""
        self._folder.mkdir(exist_ok=True)
        return self._folder

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far it is, from 0 to 1.

        Raises:
            JobError: The job was cancelled.
        """
        self._reporter.stop_if_cancelled()
        self._reporter.progress(fraction, message)

    def set_up(self) -> None:
        """Set the open scene up: engine, size, samples and frame, where the job names them."""
        render.set_up(self.request)
        self._reporter.listen()

    def render(self) -> None:
        """Render the open scene into the file: a picture, or a video of its frames."""
        self.set_up()
        if self.is_video:
            frames = self._frames()
            self.render_video(frames, bpy.context.scene.frame_set)
        elif self.format == "avif":
            ffmpeg.find(self.format)
            part = self.folder() / "picture.png"
            self.render_part(part)
            self.convert(part)
        else:
            render.picture(self.path, self.format, self.request.get("quality"))

    def render_part(self, path: Path, share: tuple[float, float] = (0.0, 1.0)) -> None:
        """Render the open scene into a PNG beside the file.

        Args:
            path: Where the PNG goes, in `folder()`.
            share: From where to where the job gets by it.
        """
        self._reporter.listen()
        self._reporter.part(*share)
        render.picture(path, "png")
        self._reporter.pictured(path)

    def render_video(self, steps: Iterable[Any], set_step: Callable[[Any], object]) -> None:
        """Render a picture of each step into the video.

        Args:
            steps: One for each picture.
            set_step: Sets the scene up for a step.
        """
        ffmpeg.find(self.format)
        steps = list(steps)
        total = len(steps)
        each = (1 - _ENCODING) / max(total, 1)
        for index, step in enumerate(steps):
            self._reporter.part(index * each, (index + 1) * each, f"{index + 1}/{total} | ")
            set_step(step)
            picture = self.folder() / f"{index:06}.png"
            render.picture(picture, "png")
            self._reporter.pictured(picture)
            self._reporter.progress((index + 1) * each, f"{index + 1}/{total}")
        self._encode(total)

    def convert(self, picture: Path) -> None:
        """Make the file of a PNG."""
        if self.format == "avif":
            ffmpeg.avif(picture, self.path, quality=self.quality)
        elif self.format == "png":
            shutil.move(picture, self.path)
        else:
            image = bpy.data.images.load(str(picture))
            image.filepath_raw, image.file_format = str(self.path), render.FORMATS[self.format]
            image.save(quality=self.quality)
            bpy.data.images.remove(image)

    def write_json(self, value: Any) -> None:
        """Write a value as the file, as JSON says it."""
        self.path.write_text(json_text.dumps(value), encoding="utf-8")

    def tidy(self) -> None:
        """Remove the parts."""
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)

    def _frames(self) -> range:
        scene, frames = bpy.context.scene, self.request.get("frames")
        if frames is None:
            return range(scene.frame_start, scene.frame_end + 1, max(scene.frame_step, 1))
        return range(frames["first"], frames["last"] + 1, frames.get("step", 1))

    def _encode(self, total: int) -> None:
        settings = bpy.context.scene.render

        def report(done: int) -> None:
            share = _ENCODING * min(done / max(total, 1), 1.0)
            self.progress(1 - _ENCODING + share, f"Encoding {done}/{total}")

        ffmpeg.video(
            str(self.folder() / "%06d.png"),
            self.path,
            kind=self.format,
            fps=self.request.get("fps") or settings.fps / settings.fps_base,
            quality=self.quality,
            report=report,
        )
