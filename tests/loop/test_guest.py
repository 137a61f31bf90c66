"""The loop as a guest: ticks, budget, timers, and I/O that goes on between two ticks."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy.testing import GuestLoop

if TYPE_CHECKING:
    from aiobpy.loop import Tick
    from aiobpy.testing import FakeHost


def test_a_callback_that_reschedules_itself_leaves_room_for_others(host: FakeHost) -> None:
    ran: list[str] = []

    def again() -> None:
        ran.append("again")
        if len(ran) < 6:
            host.loop.call_soon(again)

    host.loop.call_soon(again)
    host.loop.call_soon(ran.append, "other")
    host.tick()
    assert ran[:3] == ["again", "other", "again"]


def test_a_callback_without_end_stops_at_the_budget(host: FakeHost) -> None:
    def again() -> None:
        host.loop.call_soon(again)

    host.loop.call_soon(again)
    began = time.monotonic()
    tick = host.loop.run_ready(0.002)
    assert tick.left
    assert time.monotonic() - began >= 0.002


def test_the_budget_is_looked_at_between_the_callbacks_of_one_turn(host: FakeHost) -> None:
    ran: list[int] = []

    def slow(number: int) -> None:
        ran.append(number)
        until = time.monotonic() + 0.002
        while time.monotonic() < until:
            pass

    for number in range(3):
        host.loop.call_soon(slow, number)
    assert host.loop.run_ready(0.001).left
    assert ran == [0]
    host.loop.run_ready(0.001)
    assert ran == [0, 1], "the rest of a turn waits for the next tick, in order"


def test_timers_follow_the_clock_in_the_order_in_which_they_are_due(host: FakeHost) -> None:
    ran: list[str] = []
    host.loop.call_later(2.0, ran.append, "second")
    host.loop.call_later(1.0, ran.append, "first")
    cancelled = host.loop.call_later(0.5, ran.append, "cancelled")
    cancelled.cancel()
    assert host.tick().next_due == 1.0
    host.advance(1.0)
    assert host.tick().next_due == 2.0
    assert ran == ["first"]
    host.advance(5.0)
    assert host.tick() == (False, None)
    assert ran == ["first", "second"]


def test_stop_ends_the_tick_with_the_present_turn(host: FakeHost) -> None:
    ran: list[str] = []

    def first() -> None:
        host.loop.call_soon(ran.append, "next turn")
        host.loop.stop()

    host.loop.call_soon(first)
    host.loop.call_soon(ran.append, "this turn")
    assert host.tick().left
    assert ran == ["this turn"]
    host.tick()
    assert ran == ["this turn", "next turn"]


def test_a_guest_loop_ticks_itself_from_run_forever_and_waits_in_between() -> None:
    ticks: list[Tick] = []

    class Counted(GuestLoop):
        def run_ready(self, budget: float = 0.0) -> Tick:
            ticks.append(super().run_ready(budget))
            return ticks[-1]

    async def main() -> str:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        loop.call_later(0.05, theirs.sendall, b"hello\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        theirs.close()
        return line.decode()

    with asyncio.Runner(loop_factory=Counted) as runner:
        assert runner.run(main()) == "hello\n"
        with pytest.raises(ZeroDivisionError):
            runner.run(_fail())
    assert len(ticks) < 50, "it waited for the timer, and did not spin"


async def _fail() -> None:
    raise ZeroDivisionError


def test_the_loop_is_the_running_loop_only_during_a_tick(host: FakeHost) -> None:
    seen: list[object] = []
    host.loop.call_soon(lambda: seen.append(asyncio.get_running_loop()))
    host.tick()
    assert seen == [host.loop]
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_a_tick_within_a_tick_is_refused(host: FakeHost) -> None:
    errors: list[str] = []

    def nested() -> None:
        try:
            host.tick()
        except RuntimeError as error:
            errors.append(str(error))

    host.loop.call_soon(nested)
    host.loop.call_soon(lambda: None)
    host.tick()
    assert len(errors) == 1
    assert errors[0].startswith("This event loop is already running: ")
    assert "`await`" in errors[0], "it says what to do instead"


def test_the_hosts_own_code_may_block_on_a_coroutine_but_a_callback_may_not() -> None:
    """The blocking workflow: an operator wants the answer now. `aiobpy.run` pumps for it."""
    refused: list[str] = []

    async def answer() -> int:
        await asyncio.sleep(0.001)  # under test: the pump waits for a timer
        return 42

    def operator() -> None:
        question = answer()
        try:
            aiobpy.run(question)
        except RuntimeError as error:
            refused.append(str(error))
        finally:
            question.close()

    other = aiobpy.spawn(answer())
    assert aiobpy.run(answer()) == 42
    shared = aiobpy.host.loop()
    shared.call_soon(operator)
    while not (refused and other.done()):
        shared.run_ready()
    assert "`aiobpy.spawn`" in refused[0], "it says what to do instead"
    aiobpy.host.shut_down()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("source", ["callback", "timer", "task", "reader"])
def test_what_ends_a_program_passes_through_a_tick_wherever_it_is_raised(
    host: FakeHost, kind: type[BaseException], source: str
) -> None:
    def leave() -> None:
        raise kind

    async def leave_in_a_task() -> None:
        leave()

    ours, theirs = _socket_pair()
    theirs.sendall(b"x")
    match source:
        case "callback":
            host.loop.call_soon(leave)
        case "timer":
            host.loop.call_later(0, leave)
        case "task":
            task = host.spawn(leave_in_a_task())
        case "reader":
            host.loop.add_reader(ours, leave)
    with pytest.raises(kind):
        host.tick_until(lambda: False)
    assert not host.loop.is_running()
    if source == "task":
        assert isinstance(task.exception(), kind)
    if source == "reader":
        with pytest.raises(kind):
            host.tick_until(lambda: False)
    host.loop.remove_reader(ours)
    ours.close()
    theirs.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_passes_through_a_protocol_and_its_connection_goes_on(
    host: FakeHost, kind: type[BaseException]
) -> None:
    received: list[bytes] = []

    class Leaving(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.append(data)
            if data == b"leave":
                raise kind

    async def connect() -> asyncio.Transport:
        transport, _ = await host.loop.create_connection(Leaving, sock=ours)
        return transport

    ours, theirs = _socket_pair()
    transport = host.run(connect())
    theirs.sendall(b"leave")
    with pytest.raises(kind):
        host.tick_until(lambda: False)
    theirs.sendall(b"stay")
    host.tick_until(lambda: received == [b"leave", b"stay"])
    transport.abort()
    host.tick()
    theirs.close()


def test_a_failing_callback_goes_to_the_exception_handler_and_the_tick_goes_on(
    host: FakeHost,
) -> None:
    reported: list[dict[str, object]] = []
    ran: list[str] = []
    host.loop.set_exception_handler(lambda _, context: reported.append(context))
    host.loop.call_soon(lambda: 1 / 0)
    host.loop.call_soon(ran.append, "next")
    host.tick()
    assert ran == ["next"]
    assert isinstance(reported[0]["exception"], ZeroDivisionError)
    assert "Exception in callback" in str(reported[0]["message"])


def test_keyboard_interrupt_leaves_the_tick_and_nothing_is_lost(host: FakeHost) -> None:
    ran: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    host.loop.call_soon(interrupt)
    host.loop.call_soon(ran.append, "next")
    with pytest.raises(KeyboardInterrupt):
        host.tick()
    assert not host.loop.is_running()
    host.tick()
    assert ran == ["next"]


def test_the_host_may_block_on_a_task_between_ticks(host: FakeHost) -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert host.loop.run_until_complete(answer()) == 42
    assert host.run(answer()) == 42


def test_bytes_are_read_ahead_and_written_out_while_the_host_is_blocked(host: FakeHost) -> None:
    """Between two ticks the peer sends and receives more than the kernel's buffers hold."""
    size = 3 << 20
    ours, theirs = _socket_pair()

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(sock=ours, limit=size)

    reader, writer = host.run(connect())
    writer.write(b"w" * size)
    # No tick from here on: only the I/O thread works. A blocking peer proves that it does.
    received = 0
    while received < size:
        received += len(theirs.recv(1 << 20))
    theirs.sendall(b"r" * size)
    theirs.close()
    assert host.run(reader.readexactly(size)) == b"r" * size
    writer.close()
    host.run(writer.wait_closed())


def test_a_consumer_that_pauses_stops_the_peer_and_not_the_memory(host: FakeHost) -> None:
    host.loop.set_read_ahead(256 << 10, 1 << 20)
    ours, theirs = _socket_pair()
    paused = asyncio.Event()

    class Slow(asyncio.Protocol):
        received = 0
        transport: asyncio.Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.received += len(data)
            if not paused.is_set():
                paused.set()
                self.transport.pause_reading()

    async def connect() -> Slow:
        _, protocol = await host.loop.create_connection(Slow, sock=ours)
        return protocol

    slow = host.run(connect())
    theirs.sendall(b"x")
    host.tick_until(paused.is_set)
    theirs.settimeout(2.0)
    sent = 1 + _send_until_stopped(theirs)
    assert host.loop.read_ahead_held() <= 512 << 10
    host.tick()
    assert slow.received == 1
    slow.transport.resume_reading()
    host.tick_until(lambda: slow.received == sent)
    slow.transport.abort()
    host.tick()
    theirs.close()


def test_a_round_trip_needs_few_ticks(host: FakeHost) -> None:
    """A tick runs turn after turn: an answer that is there is read and dealt with at once."""

    async def serve() -> asyncio.Server:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        return await asyncio.start_server(echo, "127.0.0.1", 0)

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    server = host.run(serve())
    assert host.run(ask(server.sockets[0].getsockname()[1])) == b"hello\n"
    server.close()
    host.run(server.wait_closed())


def test_an_idle_tick_says_so(host: FakeHost) -> None:
    assert host.tick() == (False, None)
    assert not host.loop.has_ready()


def test_a_closed_loop_refuses_to_tick(host: FakeHost) -> None:
    host.close()
    with pytest.raises(RuntimeError, match="closed"):
        host.loop.call_soon(print)


def _send_until_stopped(peer: socket.socket) -> int:
    sent = 0
    try:
        while sent < 512 << 20:
            sent += peer.send(b"x" * (1 << 20))
    except TimeoutError:
        return sent
    pytest.fail(f"nothing stopped the peer after {sent} bytes")


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    listener.close()
    ours.setblocking(False)
    return ours, theirs
