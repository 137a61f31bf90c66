"""Tells how far a render is, from what Blender announces."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from aiobpy import progress
from aiobpy.jobs.outcomes import RenderProgress
from aiobpy.worker.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy.handlers import Fired
    from aiobpy.jobs.request import Request


class Reporter:
    """Takes what Blender announces, in whatever thread, and tells what is news.

    Attributes:
        done: How many frames are done.
        error: What `on_progress` raised on a thread of Blender's, where nobody could catch it.
    """

    def __init__(
        self, request: Request, on_progress: Callable[[RenderProgress], object] | None
    ) -> None:
        self._frames = request.frames
        self._on_progress = on_progress
        self._frame = request.frames[0]
        self._within: float | None = None
        self._progress = Progress()
        self._lock = threading.Lock()
        self.done = 0
        self.error: Exception | None = None

    def take(self, fired: Fired) -> RenderProgress | None:
        """Return how far the render is, if what was announced is news."""
        with self._lock:
            match fired.handler:
                case "render_pre":
                    self._frame = self._frame if fired.frame is None else fired.frame
                    self._progress, self._within = Progress(), None
                    return self._now()
                case "render_post":
                    self.done = min(self.done + 1, len(self._frames))
                    self._within = None
                    return self._now()
                case "render_stats":
                    told = self._progress.take(fired.text or "", time.monotonic())
                    if told is None:
                        return None
                    self._within = told[0] or None
                    return self._now(told[1])
        return None

    def tell(self, news: RenderProgress) -> None:
        """Tell it to the caller, to the panel and to the status bar."""
        text = news.text if news.frames == 1 else f"frame {news.frame}"
        progress.set_progress(news.fraction, text)
        if self._on_progress is not None:
            self._on_progress(news)

    def hear(self, fired: Fired) -> None:
        """Take it and tell it at once, where the loop cannot run because Blender renders in it."""
        news = self.take(fired)
        if news is not None and self._on_progress is not None and self.error is None:
            try:
                self._on_progress(news)
            except Exception as error:
                self.error = error

    def _now(self, text: str = "") -> RenderProgress:
        count = len(self._frames)
        fraction = None
        if count > 1 or self._within is not None or self.done:
            fraction = min((self.done + (self._within or 0.0)) / count, 1.0)
        return RenderProgress(fraction, self._frame, self.done, count, text)
