"""`asyncio.get_event_loop()` gives the shared loop, to code that Blender calls.

Code from before Python 3.10 asks for the loop wherever it is: in an operator, at the top of a
script. Python has stopped making one there: since 3.14 it raises.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from asyncio import events
from typing import TYPE_CHECKING, Any

from aiobpy import host

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy import EventLoop


def adopt() -> EventLoop:
    """Return the shared loop; until it is shut down it is the main thread's.

    Raises:
        RuntimeError: This is not the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        msg = (
            f"the loop can only be had in the main thread, not in"
            f" {threading.current_thread().name!r}: hand over with"
            " `asyncio.run_coroutine_threadsafe(coroutine, loop)`"
        )
        raise RuntimeError(msg)
    shared = host.loop()
    # Somebody may have set another one meanwhile.
    asyncio.set_event_loop(shared)
    return shared


def _adopt(shared: EventLoop) -> None:
    host.on_shut_down(_Adopted(shared).undo)
    asyncio.set_event_loop(shared)


class _Adopted:
    """What was there before the shared loop became the main thread's."""

    def __init__(self, shared: EventLoop) -> None:
        self.shared = shared
        self._policy = _policy()
        previous = _loop_of(self._policy)
        self._previous = None if previous is None or previous.is_closed() else previous
        if self._previous is not None and asyncio.all_tasks(self._previous):
            _log.warning(
                "%r has tasks and was the main thread's loop; from now on"
                " `asyncio.get_event_loop()` gives aiobpy's",
                self._previous,
            )
        self._stand_in = _with_fallback(self._policy.get_event_loop, shared)
        # `asyncio.run()` leaves the thread without a loop: who comes later gets the shared one.
        self._policy.get_event_loop = self._stand_in

    def undo(self) -> None:
        """Leave all as it was."""
        if vars(self._policy).get("get_event_loop") is self._stand_in:
            del self._policy.get_event_loop
        if _loop_of(self._policy) is not self.shared:
            return
        asyncio.set_event_loop(self._previous)
        if self._previous is None and sys.version_info < (3, 14):
            # Python may make a loop again for who asks.
            self._policy._local._set_called = False


def _policy() -> Any:
    # Python's name for what it no longer lets anybody choose.
    return getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)()


def _loop_of(policy: Any) -> asyncio.AbstractEventLoop | None:
    # Asking in public makes a loop where there is none.
    loop: asyncio.AbstractEventLoop | None = getattr(getattr(policy, "_local", None), "_loop", None)
    return loop


def _with_fallback(
    get_event_loop: Callable[[], asyncio.AbstractEventLoop], shared: asyncio.AbstractEventLoop
) -> Callable[[], asyncio.AbstractEventLoop]:
    def get_event_loop_or_shared() -> asyncio.AbstractEventLoop:
        try:
            return get_event_loop()
        except RuntimeError:
            if threading.current_thread() is not threading.main_thread():
                raise
            return shared

    return get_event_loop_or_shared


_log = logging.getLogger(__name__)

host.on_each_loop(_adopt)
