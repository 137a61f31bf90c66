"""The fleet's REST API as a client awaits it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiobpy.fleet import addresses
from aiobpy.fleet.asking import Asking, job_of
from aiobpy.fleet.batches import Batch
from aiobpy.fleet.errors import (
    Conflict,
    FleetError,
)
from aiobpy.fleet.jobs import FAREWELL, Job, Result, received
from aiobpy.fleet.requests import job_request

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from aiobpy.fleet.streams import Event

PATIENCE = 60.0
"""Seconds that a fleet may be busy or out of reach, unless told otherwise."""
CONNECT_TIMEOUT = 10.0
_LONGEST_WAIT = 30
"""Seconds that one request waits for a picture; then the job's events are followed."""


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    patience: float = PATIENCE,
    connect_timeout: float = CONNECT_TIMEOUT,
    tls: ssl.SSLContext | None = None,
) -> Fleet:
    """Return a client of a fleet: `async with aiobpy.fleet.connect() as fleet`.

    It runs on any loop of asyncio, in Blender and outside. Within Blender, a fleet on another
    machine is asked only if `bpy.app.online_access` allows it.

    Args:
        url: Where it is, as in `http://127.0.0.1:8787`; if left out, the fleet that this user
            started last on this computer, looked for again when it was restarted.
        token: What it wants to see; if left out, that of the environment variable AIOBPY_TOKEN.
        patience: Seconds that requests are repeated for while the fleet is full (429, 503 with
            Retry-After) or out of reach. A job is submitted under a key, so that none runs twice.
        connect_timeout: Seconds to connect in.
        tls: For `https://`: which authorities to trust. `ssl.create_default_context(cafile=…)`.

    Raises:
        ValueError: The address cannot be used, or there is no token for it.
    """
    told = None if url is None else addresses.given(url, token)
    return Fleet(told, patience=patience, connect_timeout=connect_timeout, tls=tls)


class Fleet(Asking):
    """A client of a fleet, within its `async with` block; see `connect`."""

    async def render(
        self,
        template: str,
        /,
        *,
        output: str | os.PathLike[str] | None = None,
        width: int | None = None,
        height: int | None = None,
        samples: int | None = None,
        format: str | None = None,  # noqa: A002 - the API calls it so
        frames: tuple[int, int] | None = None,
        settings: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        cache: bool = True,
        detach: bool = False,
        on_progress: Callable[[Event], object] | None = None,
        **parameters: Any,
    ) -> Result:
        """Have a template rendered and return the picture.

        Args:
            template: Its name.
            output: A file to write; its ending chooses the format. In memory if left out.
            width: Pixels.
            height: Pixels.
            samples: Per pixel.
            format: As in `png`, `jpeg`, `mp4`; told by `output` if left out.
            frames: The first and the last of a video.
            settings: What else it is to be: other members of `output` in `POST /api/v1/jobs`, as in
                `{"quality": 80}`.
            options: Other members of the job itself, as in `{"priority": 10}`.
            params: Parameters of the template by name, for names that are taken here.
            cache: Whether what an earlier job has made of the same will do; False has it made anew.
            detach: Whether the job goes on when the task that awaits this is cancelled. If not, it
                is cancelled too.
            on_progress: Called with each event of the job.
            parameters: Parameters of the template.

        Raises:
            InvalidRequest: There is no such template, or a parameter does not fit.
            JobFailed: It failed; the text says why.
            JobCancelled: Somebody cancelled it.
            Busy: The fleet was full for longer than the patience.
            Unreachable: There is no fleet, or it was out of reach for longer than the patience.
            OfflineError: It is on another machine, and Blender may not go online.
            OSError: The file cannot be written.
        """
        request = job_request(
            template,
            {**(params or {}), **parameters},
            output=output,
            width=width,
            height=height,
            samples=samples,
            format=format,
            frames=frames,
            settings=settings,
            options=options,
            cache=cache,
        )
        key = str(uuid.uuid4())
        try:
            if on_progress is None:
                return await self._render_at_once(request, key, output)
            job = await self._submit(request, key)
            return await job.result(output, on_progress=on_progress)
        except asyncio.CancelledError:
            if not detach:
                await self._cancel_by_key(request, key)
            raise

    async def submit(
        self,
        template: str,
        /,
        *,
        output: str | os.PathLike[str] | None = None,
        width: int | None = None,
        height: int | None = None,
        samples: int | None = None,
        format: str | None = None,  # noqa: A002 - the API calls it so
        frames: tuple[int, int] | None = None,
        settings: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        cache: bool = True,
        key: str | None = None,
        **parameters: Any,
    ) -> Job:
        """Have a job taken on, and return it: it outlives this client.

        Args:
            template: As for `render`, like all that is not told here.
            output: Its ending chooses the format; nothing is written.
            width: Pixels.
            height: Pixels.
            samples: Per pixel.
            format: As for `render`.
            frames: As for `render`.
            settings: As for `render`.
            options: As for `render`.
            params: As for `render`.
            cache: As for `render`.
            key: Names the request for good: another submit with it returns the same job. A new one
                if left out.
            parameters: Parameters of the template.

        Raises:
            InvalidRequest: There is no such template, or a parameter does not fit.
            Busy: The fleet was full for longer than the patience.
            Unreachable: There is no fleet, or it was out of reach for longer than the patience.
            OfflineError: It is on another machine, and Blender may not go online.
        """
        request = job_request(
            template,
            {**(params or {}), **parameters},
            output=output,
            width=width,
            height=height,
            samples=samples,
            format=format,
            frames=frames,
            settings=settings,
            options=options,
            cache=cache,
        )
        return await self._submit(request, key or str(uuid.uuid4()))

    async def batch(
        self,
        template: str,
        /,
        *,
        frames: str | None = None,
        variants: Iterable[Mapping[str, Any]] = (),
        matrix: Mapping[str, Iterable[Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        cache: bool = True,
        key: str | None = None,
        **parameters: Any,
    ) -> Batch:
        """Have many jobs taken on at once, all or none; return them. Each variant of each frame.

        Args:
            template: Its name.
            frames: As in `1-24x2,30`: from 1 to 24 each second one, and 30.
            variants: Parameters, each in the place of those of the same name that all have.
            matrix: Parameters, and the values that each is to take: all combinations.
            settings: What all are to be: members of `output` in `POST /api/v1/jobs`, as in
                `{"width": 640, "format": "webp"}`.
            options: As for `render`, of each job.
            params: As for `render`, of all.
            cache: As for `render`.
            key: As for `submit`.
            parameters: Parameters of the template, of all.

        Raises:
            InvalidRequest: There is no such template, a parameter does not fit, or there are too
                many.
            Busy: The fleet was full for longer than the patience.
            Unreachable: There is no fleet, or it was out of reach for longer than the patience.
        """
        common = {**(params or {}), **parameters}
        request: dict[str, Any] = {
            "job": job_request(template, common, settings=settings, options=options, cache=cache)
        }
        if frames is not None:
            request["frames"] = frames
        if listed := [dict(variant) for variant in variants]:
            request["variants"] = listed
        if matrix:
            request["matrix"] = {name: list(values) for name, values in matrix.items()}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return Batch(self, await self.ask("POST", "/api/v1/batches", request, headers=headers))

    async def upload(self, file: str | os.PathLike[str]) -> str:
        """Send a file for jobs to use, as a texture or a .blend.

        Args:
            file: It is read piece by piece as the network takes it.

        Returns:
            Its name, `input:<hash>`: the value of a job's parameter. The same bytes have the same
            name.

        Raises:
            InvalidRequest: It is too large.
            FleetError: The fleet cannot be reached.
            OSError: The file cannot be read.
        """
        told = await self.ask("POST", "/api/v1/inputs", Path(file))
        return str(told["name"])

    async def job(self, job_id: str) -> Job:
        """Return a job by its id.

        Raises:
            FleetError: As `NotFound`: there is no such job.
        """
        return Job(self, await self.ask("GET", f"/api/v1/jobs/{job_id}"))

    async def jobs(self, limit: int = 50) -> list[Job]:
        """Return the newest jobs, newest first.

        Raises:
            FleetError: The fleet cannot be asked.
        """
        told = await self.ask("GET", f"/api/v1/jobs?limit={limit}")
        return [Job(self, one) for one in told["jobs"]]

    async def workers(self) -> list[dict[str, Any]]:
        """Return the workers, as `GET /api/v1/workers` has them.

        Raises:
            FleetError: The fleet cannot be asked.
        """
        told: list[dict[str, Any]] = (await self.ask("GET", "/api/v1/workers"))["workers"]
        return told

    async def templates(self) -> dict[str, dict[str, Any]]:
        """Return what jobs may ask for, by name, as `GET /api/v1/templates` has it.

        Raises:
            FleetError: The fleet cannot be asked.
        """
        told = (await self.ask("GET", "/api/v1/templates"))["templates"]
        return {template["name"]: template for template in told}

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job; return what the fleet says of it. One that has ended stays as it is.

        Raises:
            FleetError: As `NotFound`: there is no such job.
        """
        path = f"/api/v1/jobs/{job_id}"
        try:
            told: dict[str, Any] = await self.ask("DELETE", path)
        except Conflict:
            told = await self.ask("GET", path)
        return told

    async def fetch_result(
        self, job_id: str, output: str | os.PathLike[str] | None, part: str = "result"
    ) -> Result:
        """Return what a job has made; see `Job.result` and `Job.preview`."""
        async with self.answer("GET", f"/api/v1/jobs/{job_id}/{part}") as answer:
            return await received(job_id, answer, output)

    async def cancel_quietly(self, job_id: str) -> None:
        """Cancel a job that nobody waits for any more; whatever comes of it is nobody's problem."""
        with contextlib.suppress(FleetError, OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self.cancel(job_id)

    async def _submit(self, request: dict[str, Any], key: str) -> Job:
        headers = {"Idempotency-Key": key}
        return Job(self, await self.ask("POST", "/api/v1/jobs", request, headers=headers))

    async def _render_at_once(
        self, request: dict[str, Any], key: str, output: str | os.PathLike[str] | None
    ) -> Result:
        """Submit and wait in one request; follow the job only if it takes longer than that."""
        headers = {"Idempotency-Key": key, "Prefer": f"wait={_LONGEST_WAIT}"}
        async with self.answer("POST", "/api/v1/jobs", request, headers=headers) as answer:
            if answer.status != 202:
                return await received(job_of(answer), answer, output)
            job = Job(self, await answer.json())
        return await job.result(output)

    async def _cancel_by_key(self, request: dict[str, Any], key: str) -> None:
        """Cancel what may have been submitted under a key: the fleet knows which job that is."""
        with contextlib.suppress(FleetError, OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                job = await self._submit(request, key)
                await job.cancel()
