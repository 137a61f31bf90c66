"""What libraries rely on in a loop besides its methods' results: names, patches, what is left."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import os
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


@pytest.fixture
def loop() -> Iterator[aiobpy.EventLoop]:
    loop = aiobpy.EventLoop()
    yield loop
    loop.close()


def test_the_names_that_monitors_and_tests_read(loop: Any) -> None:
    assert (loop._thread_id, loop._default_executor, len(loop._asyncgens)) == (None, None, 0)
    assert loop.slow_callback_duration == 0.1
    assert (len(loop._ready), loop._scheduled) == (0, [])
    soon = [loop.call_soon(print), loop.call_soon(print)]
    late, early = loop.call_later(2, print), loop.call_later(1, print)
    assert list(loop._ready) == soon
    assert loop._scheduled == [early, late]
    assert early._scheduled
    assert repr(loop).startswith("<EventLoop running=False closed=False debug=False>")

    async def look() -> None:
        assert loop._thread_id == threading.get_ident()
        assert asyncio.current_task(loop) is not None
        await loop.run_in_executor(None, int)
        assert loop._default_executor._max_workers
        async for _ in _count():
            assert len(loop._asyncgens) == 1

    late.cancel()
    early.cancel()
    loop.run_until_complete(look())
    loop.run_until_complete(loop.shutdown_default_executor())


def test_the_rest_of_a_turn_is_among_what_is_ready(loop: Any) -> None:
    seen: list[int] = []
    loop.call_soon(lambda: seen.append(len(loop._ready)))
    loop.call_soon(int)
    loop.run_ready()
    assert seen == [1]


def test_methods_can_be_replaced_on_the_loop_itself_and_are_then_used(loop: Any) -> None:
    calls: list[str] = []
    system_getaddrinfo = loop.getaddrinfo

    async def getaddrinfo(host: str, *arguments: Any, **keywords: Any) -> Any:
        calls.append(f"getaddrinfo {host}")
        return await system_getaddrinfo("127.0.0.1", *arguments, **keywords)

    async def create_connection(*arguments: Any, **keywords: Any) -> Any:
        calls.append("create_connection")
        return await type(loop).create_connection(loop, *arguments, **keywords)

    async def connect() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(
            "suzanne.invalid", server.sockets[0].getsockname()[1]
        )
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop.getaddrinfo = getaddrinfo
    loop.create_connection = create_connection
    loop.call_exception_handler = lambda context: calls.append(context["message"])
    loop.run_until_complete(connect())
    loop.call_soon(lambda: 1 / 0)
    loop.run_ready()
    assert calls[:2] == ["create_connection", "getaddrinfo suzanne.invalid"]
    assert calls[2].startswith("Exception in callback")


def test_a_subclass_overrides_what_the_loop_calls_itself() -> None:
    class Traced(aiobpy.EventLoop):
        made: list[str]

        def __init__(self) -> None:
            super().__init__()
            self.made = []

        def create_future(self) -> asyncio.Future[Any]:
            self.made.append("future")
            return super().create_future()

        def create_task(self, coro: Any, **keywords: Any) -> asyncio.Task[Any]:
            self.made.append("task")
            return super().create_task(coro, **keywords)

    async def look_up() -> None:
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)

    with asyncio.Runner(loop_factory=Traced) as runner:
        runner.run(look_up())
        traced = runner.get_loop()
        assert isinstance(traced, Traced)
        assert traced.made == ["task", "future"]


def test_debug_mode_says_what_was_slow_who_made_it_and_who_may_not_call(
    loop: aiobpy.EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "asyncio")
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    loop.call_soon(int)
    loop.run_ready()
    assert "Executing <Handle int" in caplog.text
    assert f"created at {__file__}:" in caplog.text
    loop.call_soon(lambda: 1 / 0)
    loop.run_ready()
    assert reported[0]["source_traceback"][-1].filename == __file__

    refused: list[str] = []

    def call_from_another_thread() -> None:
        try:
            loop.call_soon(int)
        except RuntimeError as error:
            refused.append(str(error))

    async def run_thread() -> None:
        await asyncio.to_thread(call_from_another_thread)
        await loop.shutdown_default_executor()

    loop.run_until_complete(run_thread())
    assert "Non-thread-safe operation" in refused[0]
    with pytest.raises(TypeError, match="a callable object was expected"):
        loop.call_soon("not callable")  # type: ignore[arg-type]


def test_asynchronous_generators_are_closed_with_the_loop() -> None:
    closed: list[str] = []

    async def ticks() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def leave_one_behind() -> None:
        generators.append(ticks())
        assert await anext(generators[0]) == 1

    generators: list[AsyncIterator[int]] = []
    with asyncio.Runner(loop_factory=aiobpy.EventLoop) as runner:
        runner.run(leave_one_behind())
        assert closed == []
    assert closed == ["closed"]


def test_a_generator_that_is_dropped_is_closed_by_a_guest(loop: aiobpy.EventLoop) -> None:
    closed: list[str] = []

    async def ticks() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.append("closed")

    async def drop_one() -> None:
        await anext(ticks())

    task = loop.create_task(drop_one())
    while not (task.done() and closed):
        loop.run_ready()


def test_a_protocol_and_a_watch_run_in_the_context_in_which_they_were_made(
    loop: aiobpy.EventLoop,
) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    class Reader(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            seen.append(f"made {variable.get()}")

        def data_received(self, data: bytes) -> None:
            seen.append(f"received {variable.get()}")

        def eof_received(self) -> None:
            seen.append(f"eof {variable.get()}")

        def connection_lost(self, error: Exception | None) -> None:
            seen.append(f"lost {variable.get()}")
            lost.set()

    lost = asyncio.Event()

    async def connect() -> None:
        variable.set("connect")
        await loop.create_connection(Reader, sock=ours)

    async def watch() -> None:
        variable.set("watch")
        readable = asyncio.Event()

        def note() -> None:
            seen.append(f"readable {variable.get()}")
            loop.remove_reader(read_end)
            readable.set()

        loop.add_reader(read_end, note)
        os.write(write_end, b"x")
        await readable.wait()

    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    loop.run_until_complete(watch())
    loop.run_until_complete(connect())
    theirs.sendall(b"x")
    theirs.close()
    variable.set("here")
    loop.run_until_complete(lost.wait())
    os.close(read_end)
    os.close(write_end)
    assert seen == [
        "readable watch",
        "made connect",
        "received connect",
        "eof connect",
        "lost connect",
    ]


async def _transport_of(
    protocol: Callable[[], Any], kind: str, folder: Path
) -> tuple[Any, list[Any]]:
    """Return a transport with `protocol` on it, and what has to be closed after it."""
    loop = asyncio.get_running_loop()
    match kind:
        case "tcp":
            listener = socket.create_server(("127.0.0.1", 0))
            transport, _ = await loop.create_connection(protocol, *listener.getsockname())
            return transport, [listener]
        case "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(folder / "socket"))
            listener.listen()
            transport, _ = await loop.create_unix_connection(protocol, str(folder / "socket"))
            return transport, [listener]
        case "udp":
            datagram_transport, _ = await loop.create_datagram_endpoint(
                protocol, local_addr=("127.0.0.1", 0)
            )
            return datagram_transport, []
        case "read pipe":
            read_end, write_end = os.pipe()
            read_transport, _ = await loop.connect_read_pipe(protocol, os.fdopen(read_end, "rb"))
            return read_transport, [os.fdopen(write_end, "wb")]
        case "write pipe":
            read_end, write_end = os.pipe()
            write_transport, _ = await loop.connect_write_pipe(protocol, os.fdopen(write_end, "wb"))
            return write_transport, [os.fdopen(read_end, "rb")]
    raise NotImplementedError(kind)


@pytest.mark.parametrize("way", ["close", "abort"])
@pytest.mark.parametrize("kind", ["tcp", "unix", "udp", "read pipe", "write pipe"])
def test_no_transport_calls_connection_lost_within_close(
    loop: aiobpy.EventLoop, kind: str, way: str, tmp_path: Path
) -> None:
    order: list[str] = []
    lost = asyncio.Event()

    class Protocol(asyncio.DatagramProtocol, asyncio.Protocol):
        def connection_lost(self, error: Exception | None) -> None:
            order.append("lost")
            lost.set()

    async def check() -> None:
        transport, others = await _transport_of(Protocol, kind, tmp_path)
        getattr(transport, way if hasattr(transport, way) else "close")()
        transport.close()
        order.append("closed")
        await lost.wait()
        for other in others:
            other.close()

    loop.run_until_complete(check())
    assert order == ["closed", "lost"]


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def test_a_closed_loop_leaves_no_descriptor_and_no_thread() -> None:
    def left() -> tuple[int, int]:
        # Of earlier tests nothing is to go meanwhile.
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    async def use_everything() -> None:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(_hold, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        await loop.getaddrinfo("localhost", 80)
        await loop.getnameinfo(("127.0.0.1", 80))
        process = await asyncio.create_subprocess_exec("true")
        await process.wait()
        ours, theirs = socket.socketpair()
        loop.add_reader(ours, int)
        loop.add_writer(ours, int)
        loop.remove_reader(ours)
        loop.remove_writer(ours)
        ours.close()
        theirs.close()
        writer.close()
        server.close()
        await writer.wait_closed()

    # Once before, for what asyncio and the system keep for good.
    for _ in range(2):
        before = left()
        loop = aiobpy.EventLoop()
        loop.run_until_complete(use_everything())
        for transport in list(loop._transports.values()):  # type: ignore[attr-defined]
            transport.abort()
        loop.run_ready()
        loop.close()
    assert left() == before


@pytest.mark.parametrize(
    "hang_on",
    [
        lambda loop: loop.call_soon(loop.stop),
        lambda loop: loop.call_later(1000, loop.stop),
        lambda loop: loop.create_future().add_done_callback(loop.stop),
        lambda loop: loop.add_reader(loop._csock, loop.stop),
        lambda loop: setattr(loop, "itself", loop),
        lambda loop: loop.set_exception_handler(lambda *_: loop),
        lambda loop: loop.set_task_factory(lambda *_: loop),
    ],
    ids=["callback", "timer", "future", "watch", "attribute", "handler", "factory"],
)
def test_a_loop_that_something_of_its_own_refers_to_is_collected(
    hang_on: Callable[[Any], object],
) -> None:
    loop = aiobpy.EventLoop()
    gone = weakref.ref(loop)
    hang_on(loop)
    loop.close()
    del loop
    gc.collect()
    assert gone() is None


def test_a_connection_that_is_over_is_collected_with_its_protocol(
    loop: aiobpy.EventLoop,
) -> None:
    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def connection_lost(self, error: Exception | None) -> None:
            lost.set()

    lost = asyncio.Event()

    async def connect() -> list[weakref.ref[Any]]:
        ours, theirs = socket.socketpair()
        transport, protocol = await loop.create_connection(Protocol, sock=ours)
        theirs.close()
        await lost.wait()
        return [weakref.ref(transport), weakref.ref(protocol)]

    gone = loop.run_until_complete(connect())
    loop.run_ready()
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_a_transport_that_nobody_keeps_and_nobody_closed_says_so(loop: aiobpy.EventLoop) -> None:
    async def connect() -> None:
        await loop.create_connection(asyncio.Protocol, sock=ours)

    def forget() -> None:
        loop.run_until_complete(connect())
        loop.close()
        gc.collect()

    ours, theirs = socket.socketpair()
    with pytest.warns(ResourceWarning, match="unclosed transport <SocketTransport"):
        forget()
    assert theirs.recv(1) == b"", "it has closed its socket"
    theirs.close()


async def _count() -> AsyncIterator[int]:
    yield 1
