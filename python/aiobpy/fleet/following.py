"""What happens to jobs, as it happens, also over connections that break."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Self

from aiobpy.fleet.errors import Unreachable
from aiobpy.fleet.streams import Event, EventReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from aiobpy.fleet.asking import Asking
    from aiobpy.fleet.client import Fleet

_RETRY = 1.0
_NOTHING_NEW = 204


class Followed:
    """Something that goes on on a fleet, as a client holds it: a job, or a batch of them.

    Args:
        fleet: Where it is.
        told: What the fleet says of it.
    """

    _address: ClassVar[str]
    """Where those of its kind are, as in `/api/v1/jobs`."""

    def __init__(self, fleet: Fleet, told: dict[str, Any]) -> None:
        self._fleet = fleet
        self.told = told
        """All that the fleet has said of it last; `refresh` asks again."""
        self.id: str = told["id"]

    @property
    def state(self) -> str:
        """`queued`, `running`, `finished`, `failed` or `cancelled`, when it was last asked for."""
        return str(self.told.get("state", ""))

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ("finished", "failed", "cancelled")

    async def refresh(self) -> Self:
        """Ask for what it is now; return it.

        Raises:
            FleetError: It is not there any more, or the fleet cannot be reached.
        """
        self.told = await self._fleet.ask("GET", self._path())
        return self

    async def _ended(self) -> bool:
        return (await self.refresh()).is_over

    def _path(self, part: str = "") -> str:
        return f"{self._address}/{self.id}" + (f"/{part}" if part else "")


async def follow(
    fleet: Asking, path: str, is_over: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[Event, None]:
    """Yield the events of an address to their end; what was missed in between comes then.

    Args:
        fleet: Whose they are.
        path: As in `/api/v1/jobs/{id}/events`.
        is_over: Asked when a stream ends: whether nothing more happens.

    Raises:
        FleetError: There is no such address, or the fleet was out of reach for too long.
    """
    last_seen: int | None = None
    while True:
        headers = {"Accept": "text/event-stream"}
        if last_seen is not None:
            headers["Last-Event-ID"] = str(last_seen)
        async with fleet.answer("GET", path, headers=headers) as answer:
            if answer.status == _NOTHING_NEW:
                return
            reader = EventReader(answer)
            is_whole = False
            try:
                async for message in reader:
                    event = Event.read(message)
                    if message.id is not None:
                        last_seen = event.sequence
                    yield event
                is_whole = True
            except Unreachable:
                pass
        if is_whole and await is_over():
            return
        await asyncio.sleep(reader.retry or _RETRY)
