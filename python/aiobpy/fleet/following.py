"""What happens to jobs, as it happens, also over connections that break."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiobpy.fleet.errors import Unreachable
from aiobpy.fleet.streams import Event, EventReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from aiobpy.fleet.asking import Asking

_RETRY = 1.0
_NOTHING_NEW = 204


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
                    last_seen = event.sequence
                    yield event
                is_whole = True
            except Unreachable:
                pass
        if is_whole and await is_over():
            return
        await asyncio.sleep(reader.retry or _RETRY)
