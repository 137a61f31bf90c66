"""Requests that are repeated until a server answers, or patience is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aiobpy import tracing
from aiobpy.fleet import addresses
from aiobpy.fleet.connections import Pool
from aiobpy.fleet.errors import (
    Details,
    FleetError,
    JobCancelled,
    JobFailed,
    Unreachable,
    refusal,
)
from aiobpy.json_text import dumps

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from aiobpy.fleet.addresses import Address
    from aiobpy.fleet.connections import Response

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Asking:
    """Asks one server, within its `async with` block.

    Args:
        address: Where it is; if left out, the fleet that this user started last, looked for again
            when it cannot be reached.
        patience: Seconds that a request is repeated for.
        connect_timeout: Seconds to connect in.
        tls: For `https://`; the system's authorities if left out.
    """

    def __init__(
        self,
        address: Address | None,
        *,
        patience: float,
        connect_timeout: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._given = address
        self._patience = patience
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        # The loop closes what was aborted in its next turn.
        await asyncio.sleep(0)

    def close(self) -> None:
        """Close the connections; leaving the block does so."""
        if self._pool is not None:
            self._pool.close()

    @property
    def url(self) -> str:
        """Where it is, as in `http://127.0.0.1:43210`."""
        return self._open().address.url

    async def ask(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask the fleet for something that has no name here; return the JSON value of the answer.

        Args:
            method: Of HTTP.
            path: As in `/api/v1/jobs`.
            value: To send as JSON; a path is the file that is to be sent.
            headers: To send besides the token.

        Raises:
            FleetError: The fleet refused, or cannot be reached.
        """
        async with self.answer(method, path, value, headers=headers) as answer:
            return json.loads(await answer.body() or b"null")

    @contextlib.asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Response]:
        """Ask as `ask` does; the answer can be read within the block.

        Raises:
            FleetError: The fleet refused, or cannot be reached.
        """
        body = value if isinstance(value, Path) or value is None else dumps(value).encode()
        kind = "application/octet-stream" if isinstance(body, Path) else "application/json"
        sent = {**({} if body is None else {"Content-Type": kind}), **(headers or {})}
        if (parent := tracing.trace.get()) is not None:
            sent.setdefault("traceparent", parent)
        patience = _Patience(self._patience)
        while True:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    request = self._open().request(method, path, body, sent)
                    answer = await stack.enter_async_context(request)
                except Unreachable as error:
                    problem: FleetError = error
                    pause: float | None = patience.next_pause()
                    self._look_again()
                else:
                    if answer.is_success:
                        yield answer
                        return
                    problem, pause = await _refused(answer)
            if pause is None or not patience.lasts(pause):
                raise problem
            await asyncio.sleep(pause)

    def _open(self) -> Pool:
        if self._pool is None:
            address = self._given or addresses.discovered()
            self._pool = Pool(address, self._tls, self._connect_timeout)
        return self._pool

    def _look_again(self) -> None:
        """A fleet that was started anew has another address and another token."""
        if self._given is None and self._pool is not None:
            with contextlib.suppress(Unreachable):
                found = addresses.discovered()
                if found != self._pool.address:
                    self._pool.close()
                    self._pool = Pool(found, self._tls, self._connect_timeout)


async def _refused(answer: Response) -> tuple[FleetError, float | None]:
    """Return what an answer that is no success means, and after which pause to try again, if so."""
    problem = Details.read(
        answer.status, await answer.body(), answer.headers.get("retry-after", "")
    )
    if job_id := job_of(answer):
        # The job was taken on, and this is how it ended.
        if problem.kind == "cancelled-job":
            return JobCancelled(job_id), None
        return JobFailed(job_id, problem), None
    is_passing = problem.status in (429, 503)
    return refusal(problem), problem.retry_after if is_passing else None


def job_of(answer: Response) -> str:
    """Return the id of the job that an answer to a submit is about; empty if it is about none."""
    place, _, job_id = answer.headers.get("location", "").rpartition("/")
    return job_id if place.endswith("/jobs") else ""


class _Patience:
    """How long a request is repeated for, and how soon.

    Args:
        seconds: From the first try on.
    """

    def __init__(self, seconds: float) -> None:
        self._end = asyncio.get_running_loop().time() + seconds
        self._pause = _FIRST_PAUSE

    def next_pause(self) -> float:
        """Return seconds that double from one to the next."""
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return pause

    def lasts(self, pause: float) -> bool:
        """Return whether there is time for another try after a pause."""
        return asyncio.get_running_loop().time() + pause <= self._end
