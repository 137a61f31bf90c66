"""What a worker says of the job that it is at. May be called from Blender's render threads."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import problems
from aiobpy.worker.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from aiobpy._native import WorkerLink
    from aiobpy.worker.stopping import Stopper


class Reporter:
    """Tells the supervisor how far the job is.

    Args:
        link: To the supervisor.
        stopper: Ends a render whose job is cancelled.
    """

    def __init__(self, link: WorkerLink, stopper: Stopper) -> None:
        self._link = link
        self._stopper = stopper
        self._job: dict[str, Any] = {}
        self._progress = Progress()
        self._share = (0.0, 1.0)
        self._prefix = ""

    def begin(self, job: dict[str, Any]) -> None:
        """Speak of this job from now on; of none if it is empty."""
        self._job = {"id": job["id"], "attempt": job["attempt"]} if job else {}
        self.part(0.0, 1.0)

    def part(self, start: float, end: float, prefix: str = "") -> None:
        """Let the next picture be so much of the job, from 0 to 1.

        Raises:
            JobError: The job was cancelled.
        """
        self.stop_if_cancelled()
        self._progress = Progress()
        self._share, self._prefix = (start, end), prefix

    def stop_if_cancelled(self) -> None:
        """Go on with the job, or not.

        Raises:
            JobError: The job was cancelled.
        """
        if self.is_cancelled():
            raise problems.cancelled()

    def is_cancelled(self) -> bool:
        """Whether the supervisor has taken the job back."""
        job = self._job
        return bool(job) and self._link.is_cancelled(job["id"], job["attempt"])

    def progress(self, fraction: float, message: str) -> None:
        """Tell how far the job is, from 0 to 1."""
        if self._job:
            self.say("progressed", progress=fraction, message=message, **self._job)

    def pictured(self, path: Path) -> None:
        """Tell of a whole picture that is part of the job, as the frame of a video.

        Args:
            path: A PNG in the worker's folder, which stays there as long as the job goes on.
        """
        if self._job:
            self.say("pictured", picture={"kind": "whole", "path": str(path)}, **self._job)

    def end(self, kind: str, **members: object) -> None:
        """Tell how the job ended."""
        self.say(kind, **members, **self._job)
        self._job = {}

    def say(self, kind: str, **members: object) -> None:
        """Send a `wire::FromWorker`."""
        self._link.send(json.dumps({"type": kind, **members}))

    def listen(self) -> None:
        """Hear what Blender says of its renders. Loading a scene may have ended that."""
        handlers = bpy.app.handlers.render_stats
        if self._on_stats not in handlers:
            handlers.append(self._on_stats)

    def _on_stats(self, *arguments: object) -> None:
        """Called by Blender, on a render thread of Cycles: nothing of `bpy` may be touched.

        Args:
            arguments: What Blender says, as a text, and nothing.
        """
        if self.is_cancelled():
            self._stopper.stop()
        info = arguments[0] if arguments else None
        if isinstance(info, str) and (told := self._progress.take(info, time.monotonic())):
            fraction, message = told
            start, end = self._share
            self.progress(start + (end - start) * fraction, self._prefix + message)
