"""Signals, in and out of guest mode: a guest leaves to its host what is the host's."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

import aiobpy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiobpy.testing import FakeHost


@pytest.fixture
def wakeup_fd_of_host() -> Iterator[socket.socket]:
    """What a host's own signal machinery reads: the other end is set in this process."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    yield reader
    assert signal.set_wakeup_fd(-1) == writer.fileno(), "it is the host's again"
    reader.close()
    writer.close()


@pytest.fixture
def handler_of_host() -> Iterator[list[int]]:
    seen: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


@pytest.mark.usefixtures("wakeup_fd_of_host")
def test_a_guest_runs_the_handler_of_a_signal_in_its_next_tick(host: FakeHost) -> None:
    ran: list[str] = []
    host.loop.add_signal_handler(signal.SIGUSR1, ran.append, "handled")
    os.kill(os.getpid(), signal.SIGUSR1)
    assert not ran
    host.tick()
    assert ran == ["handled"]
    assert host.loop.remove_signal_handler(signal.SIGUSR1)
    assert not host.loop.remove_signal_handler(signal.SIGUSR1)


def test_the_hosts_handler_is_back_when_the_guests_is_removed(
    host: FakeHost, handler_of_host: list[int]
) -> None:
    host.loop.add_signal_handler(signal.SIGUSR1, print)
    host.loop.add_signal_handler(signal.SIGUSR1, lambda: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    host.tick()
    assert handler_of_host == []
    host.loop.remove_signal_handler(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handler_of_host == [signal.SIGUSR1]


def test_a_closed_guest_has_given_all_signals_back(
    wakeup_fd_of_host: socket.socket, handler_of_host: list[int]
) -> None:
    loop = aiobpy.EventLoop()
    loop.add_signal_handler(signal.SIGUSR1, print)
    loop.run_ready()
    loop.close()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handler_of_host == [signal.SIGUSR1]
    assert wakeup_fd_of_host.recv(8) == bytes([signal.SIGUSR1])


def test_a_host_hears_of_signals_that_come_while_the_loop_stands_alone(
    wakeup_fd_of_host: socket.socket, runner: asyncio.Runner
) -> None:
    async def until_handled() -> None:
        loop = asyncio.get_running_loop()
        handled = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, handled.set)
        # From another thread, so that the loop waits when the signal comes.
        sender = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        sender.start()
        await handled.wait()
        sender.join()
        loop.remove_signal_handler(signal.SIGUSR1)

    runner.run(until_handled())
    assert wakeup_fd_of_host.recv(8) == bytes([signal.SIGUSR1])


def test_ctrl_c_is_the_hosts_between_ticks_and_leaves_a_tick_within(host: FakeHost) -> None:
    before = signal.getsignal(signal.SIGINT)
    ran: list[str] = []
    host.loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
    host.loop.call_soon(ran.append, "next")
    with pytest.raises(KeyboardInterrupt):
        host.tick()
    assert signal.getsignal(signal.SIGINT) is before
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the host was not told")
    host.tick()
    assert ran == ["next"]


def test_a_handler_does_not_keep_a_loop_that_nobody_has_closed() -> None:
    def leave_one_behind() -> weakref.ref[aiobpy.EventLoop]:
        loop = aiobpy.EventLoop()
        gone = weakref.ref(loop)
        loop.add_signal_handler(signal.SIGUSR1, print)
        del loop
        gc.collect()
        return gone

    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        gone = leave_one_behind()
    assert gone() is None
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_what_cannot_be_a_handler_is_refused(host: FakeHost) -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="coroutines"):
        host.loop.add_signal_handler(signal.SIGUSR1, coroutine)
    with pytest.raises(RuntimeError, match="cannot be caught"):
        host.loop.add_signal_handler(signal.SIGKILL, print)
    with pytest.raises(ValueError, match="invalid signal number"):
        host.loop.add_signal_handler(4711, print)
    assert not host.loop.remove_signal_handler(signal.SIGUSR1)
