"""A job as a client holds it: what happens to it, its end, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiobpy.fleet.errors import Details, JobCancelled, JobFailed, NotFound
from aiobpy.fleet.following import Followed, follow
from aiobpy.image import Image

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable

    from aiobpy.fleet.connections import Response
    from aiobpy.fleet.streams import Event

FAREWELL = 5.0
"""Seconds to tell the fleet that a job is not wanted any more."""
_PART = ".part"


@dataclass(frozen=True)
class Result:
    """What a job left behind: bytes in memory, or a file if one was asked for."""

    job_id: str
    content_type: str
    """As in `image/png`."""
    path: Path | None
    """The file that was asked for."""
    content: bytes | None
    """None if it went into a file."""

    @property
    def bytes(self) -> bytes:
        """All of it; read from the file if it went into one."""
        if self.content is not None:
            return self.content
        assert self.path is not None
        return self.path.read_bytes()

    @property
    def image(self) -> Image:
        """As a picture.

        Raises:
            ValueError: It is none.
        """
        return Image(self.bytes)


class Job(Followed):
    """One job of a fleet.

    Args:
        fleet: Where it is.
        told: What the fleet says of it.
    """

    _address = "/api/v1/jobs"

    def __repr__(self) -> str:
        return f"<Job {self.id} of {self.told.get('template')!r}: {self.state}>"

    @property
    def cached_from(self) -> str | None:
        """The id of the earlier job that has made the same; None if it was made for this one."""
        told = self.told.get("cached_from")
        return None if told is None else str(told)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield all that has happened to it and all that will, to its end.

        A connection that breaks is made anew, and what was missed comes then.

        Raises:
            FleetError: There is no such job, or the fleet was out of reach for too long.
        """
        async with contextlib.aclosing(
            follow(self._fleet, self._path("events"), self._ended)
        ) as events:
            async for event in events:
                yield event
                if event.is_final:
                    return

    async def result(
        self,
        output: str | os.PathLike[str] | None = None,
        *,
        cancel: bool = False,
        on_progress: Callable[[Event], object] | None = None,
    ) -> Result:
        """Wait for its end and return what it left behind.

        Args:
            output: A file to write; in memory if left out. A file that is there is replaced.
            cancel: Whether the job is cancelled if the task that waits here is.
            on_progress: Called with each event.

        Raises:
            JobFailed: It failed.
            JobCancelled: It was cancelled.
            FleetError: The fleet was out of reach for too long.
            OSError: The file cannot be written.
        """
        try:
            await self._wait(on_progress)
            return await self._fleet.fetch_result(self.id, output)
        except asyncio.CancelledError:
            if cancel:
                await self._fleet.cancel_quietly(self.id)
            raise

    async def preview(self, output: str | os.PathLike[str] | None = None) -> Result | None:
        """Return a small picture of how far it is, or what it left behind if it has finished.

        An event `job.preview` tells of each.

        Args:
            output: A file to write; in memory if left out. A file that is there is replaced.

        Returns:
            None if it has made no picture yet.

        Raises:
            FleetError: It failed or was cancelled, or the fleet cannot be reached.
            OSError: The file cannot be written.
        """
        try:
            return await self._fleet.fetch_result(self.id, output, part="preview")
        except NotFound as error:
            if error.kind != "no-preview-yet":
                raise
            return None

    async def cancel(self) -> None:
        """Cancel it. One that has ended stays as it is.

        Raises:
            FleetError: There is no such job, or the fleet cannot be reached.
        """
        self.told = await self._fleet.cancel(self.id)

    async def _wait(self, on_progress: Callable[[Event], object] | None) -> None:
        if self.is_over and on_progress is None:
            self._check()
            return
        async with contextlib.aclosing(self.events()) as events:
            async for event in events:
                if on_progress is not None:
                    on_progress(event)
                if event.type == "job.failed":
                    raise JobFailed(self.id, Details.read(500, event.data.get("problem", {})))
                if event.type == "job.cancelled":
                    raise JobCancelled(self.id)

    def _check(self) -> None:
        if self.state == "failed":
            raise JobFailed(self.id, Details.read(500, self.told.get("problem") or {}))
        if self.state == "cancelled":
            raise JobCancelled(self.id)


async def received(job_id: str, answer: Response, output: str | os.PathLike[str] | None) -> Result:
    """Return what an answer brings, in memory or in a file that is complete when it is there.

    Raises:
        OSError: The file cannot be written.
    """
    content_type = answer.headers.get("content-type", "application/octet-stream")
    if output is None:
        return Result(job_id, content_type, None, await answer.body())
    path = Path(output)
    part = path.with_name(f"{path.name}{_PART}")
    # The disk may be far away, and a loop does not wait for it.
    file = await asyncio.to_thread(part.open, "wb")
    try:
        with file:
            async for piece in answer.pieces():
                await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(part.replace, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Result(job_id, content_type, path, None)
