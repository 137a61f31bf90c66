"""Who hears an event, and in which order. Knows nothing of Blender: events are plain values."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy.ui.plain_event import Event

KEPT: Final = 1024
"""Events that wait for a listener which is slow to take them; then the oldest are dropped."""


class Listener:
    """What one `ui.events(...)` is to hear, and what it has heard so far.

    Args:
        types: The types of event; None for all that a person causes.
        values: The values of event; None for all.
        predicate: Is asked about each event that fits; None for yes.
        swallow: Whether nobody else is to have the events that fit.
        priority: Those with the greater one are asked first.
    """

    def __init__(
        self,
        types: frozenset[str] | None = None,
        values: frozenset[str] | None = None,
        predicate: Callable[[Event], object] | None = None,
        *,
        swallow: bool = False,
        priority: int = 0,
    ) -> None:
        self.types = types
        self.swallow = swallow
        self.priority = priority
        self.missed = 0
        self.is_closed = False
        self._values = values
        self._predicate = predicate
        self._heard: collections.deque[Event] = collections.deque()
        self._error: BaseException | None = None
        self._waiting: asyncio.Future[None] | None = None

    def wants(self, kind: str, value: str) -> bool:
        """Return whether an event of that kind is worth a copy."""
        # The loop has a timer in Blender's window while it is busy: who heard that among all
        # else would keep the loop busy.
        is_wanted = kind in self.types if self.types else not kind.startswith("TIMER")
        return is_wanted and (self._values is None or value in self._values)

    def hear(self, event: Event) -> bool:
        """Take an event, if it fits; return whether it did.

        A predicate that raises ends the listening: whoever awaits gets the error.
        """
        if self.is_closed or not self.wants(event.type, event.value):
            return False
        try:
            if self._predicate is not None and not self._predicate(event):
                return False
        except Exception as error:
            self._error = error
            self.close()
            return False
        if len(self._heard) == KEPT:
            self._heard.popleft()
            self.missed += 1
        self._heard.append(event)
        self._wake()
        return True

    async def next(self) -> Event | None:
        """Return the next event; None when the listening has ended.

        Raises:
            Exception: What the predicate raised.
            RuntimeError: Somebody else waits already.
        """
        while not self._heard and not self.is_closed:
            if self._waiting is not None:
                msg = "two tasks wait for the events of one listener; make one for each"
                raise RuntimeError(msg)
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        if self._heard:
            return self._heard.popleft()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def close(self) -> None:
        """Hear no more. What was heard before can still be taken."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Listeners:
    """All who listen, in the order in which they are asked."""

    def __init__(self) -> None:
        self._by_priority: list[Listener] = []

    def __bool__(self) -> bool:
        return bool(self._by_priority)

    def add(self, listener: Listener) -> None:
        """Ask this one too: after those of its own priority that came before it."""
        self._by_priority.append(listener)
        self._by_priority.sort(key=lambda listener: -listener.priority)

    def remove(self, listener: Listener) -> None:
        """Ask this one no more. Does nothing if it was not asked."""
        with contextlib.suppress(ValueError):
            self._by_priority.remove(listener)

    def want(self, kind: str, value: str) -> bool:
        """Return whether anybody wants events of that kind."""
        return any(listener.wants(kind, value) for listener in self._by_priority)

    def hear(self, event: Event) -> bool:
        """Tell those whom it concerns; return whether one of them has swallowed it."""
        for listener in list(self._by_priority):
            if listener.hear(event) and listener.swallow:
                return True
        return False

    def clear(self) -> None:
        """End all listening."""
        for listener in self._by_priority:
            listener.close()
        self._by_priority.clear()
