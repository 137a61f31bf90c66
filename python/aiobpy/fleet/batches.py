"""Many jobs by one request: frames, variants, and all combinations of values."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aiobpy.fleet.following import Followed, follow
from aiobpy.fleet.jobs import Job, Result, received

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable

    from aiobpy.fleet.streams import Event


class Batch(Followed):
    """Jobs that were asked for together.

    Args:
        fleet: Where they are.
        told: What the fleet says of them.
    """

    _address = "/api/v1/batches"

    def __repr__(self) -> str:
        return f"<Batch {self.id} of {self.told.get('template')!r}: {self.state}, {self.counts}>"

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs there are (`total`), and how many in each state."""
        return dict(self.told.get("jobs", {}))

    @property
    def progress(self) -> float:
        """From 0 to 1, of all jobs together."""
        return float(self.told.get("progress", 0.0))

    async def jobs(self) -> list[Job]:
        """Return its jobs, in the order in which they were asked for.

        Raises:
            FleetError: There is no such batch any more, or the fleet cannot be reached.
        """
        told = await self._fleet.ask("GET", self._path("jobs"))
        return [Job(self._fleet, one) for one in told["jobs"]]

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield all that happens to its jobs, until the last of them has ended; as `Job.events`.

        Raises:
            FleetError: As `Job.events` does.
        """
        return follow(self._fleet, self._path("events"), self._ended)

    async def wait(self, *, on_progress: Callable[[Event], object] | None = None) -> Batch:
        """Wait for the end of all its jobs, however they end; return it as it is then.

        Args:
            on_progress: Called with each event.

        Raises:
            FleetError: The fleet was out of reach for too long.
        """
        async with contextlib.aclosing(self.events()) as events:
            async for event in events:
                if on_progress is not None:
                    on_progress(event)
        return await self.refresh()

    async def results(self, output: str | os.PathLike[str] | None = None) -> Result:
        """Return a zip of what has finished so far.

        Args:
            output: A file to write; in memory if left out.

        Raises:
            FleetError: As `Conflict`: nothing has finished yet.
            OSError: The file cannot be written.
        """
        async with self._fleet.answer("GET", self._path("results")) as answer:
            return await received(self.id, answer, output)

    async def cancel(self) -> None:
        """Cancel what has not ended.

        Raises:
            FleetError: There is no such batch, or the fleet cannot be reached.
        """
        self.told = await self._fleet.ask("DELETE", self._path())
