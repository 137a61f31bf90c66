"""Signals of a loop that may be a guest.

asyncio has each signal write a byte for its selector to find, to the one descriptor that a process
has for this (`signal.set_wakeup_fd`). A guest must not take that from its host, and need not: the
handler that Python runs in the main thread schedules the callback itself. The byte only ends the
wait of a loop that stands alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SignalHandlers(asyncio.SelectorEventLoop):
    """The part of a loop that deals with signals."""

    _wakeup_fd_of_host = -1

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Have `callback` run when the signal comes; as a guest, in the next tick.

        Raises:
            RuntimeError: This is not the main thread, or the signal cannot be caught.
            ValueError: There is no such signal.
        """
        former = signal.getsignal(sig) if sig in signal.valid_signals() else None
        with _wakeup_fd_kept():
            super().add_signal_handler(sig, callback, *args)
        signal.signal(sig, _scheduler_of_signals(self))
        signal.siginterrupt(sig, False)
        self._handlers_of_host.setdefault(sig, former)

    def remove_signal_handler(self, sig: int) -> bool:
        """Have the host's handler back in its place, if there was one.

        Returns:
            Whether there was one of the loop's.
        """
        with _wakeup_fd_kept():
            was_set = super().remove_signal_handler(sig)
        handler_of_host = self._handlers_of_host.pop(sig, None)
        if was_set and handler_of_host is not None:
            signal.signal(sig, handler_of_host)
        return was_set

    def _add_callback(self, handle: Any) -> None:
        # Of a signal: asyncio's own Handle.
        if not handle.cancelled():
            self.call_soon_threadsafe(handle._run)

    @contextlib.contextmanager
    def _signals_end_the_wait(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        fd = self._csock.fileno()
        self._wakeup_fd_of_host = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(self._wakeup_fd_of_host, warn_on_full_buffer=False)
            self._process_self_data(self._take_signals())
            self._wakeup_fd_of_host = -1

    def _process_self_data(self, data: bytes) -> None:
        # Python has run our handlers by now; the host may wait for the bytes.
        # (Windows has sockets there, which are no files.)
        if data and self._wakeup_fd_of_host != -1 and sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.write(self._wakeup_fd_of_host, bytes(data))

    def _make_self_pipe(self) -> None:
        self._handlers_of_host: dict[int, Any] = {}
        self._ssock = None
        self._csock = socket.socket(fileno=self._signal_fd())
        self._internal_fds += 1

    def _close_self_pipe(self) -> None:
        self._csock.close()
        self._csock = None
        self._internal_fds -= 1


@contextlib.contextmanager
def _wakeup_fd_kept() -> Iterator[None]:
    """Leave the descriptor that signals are written to as it is, whatever asyncio does to it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)


def _scheduler_of_signals(event_loop: SignalHandlers) -> Callable[[int, Any], None]:
    # Python keeps a signal's handler for ever: it must not keep the loop.
    reference = weakref.ref(event_loop)

    def schedule(number: int, frame: Any) -> None:
        if event_loop := reference():
            event_loop._handle_signal(number)

    return schedule
