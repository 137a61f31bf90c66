"""The event loop: asyncio's contract, with the I/O on a Rust thread.

What runs once per callback or per packet is Rust (`_native.LoopCore`); what runs once per
connection (happy eyeballs, servers, TLS set-up, executors) is asyncio's own, inherited.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import socket
import ssl
import sys
import threading
from asyncio import base_events, constants, events, format_helpers, trsock
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aiobpy import _native
from aiobpy.signals import SignalHandlers
from aiobpy.tls import TlsProtocol
from aiobpy.transports import SocketTransport

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable

# Later Pythons show a callback's arguments in debug mode alone.
_SOURCE_HIDES_ARGUMENTS = (
    "debug" in inspect.signature(format_helpers._format_callback_source).parameters
)

DEFAULT_BUDGET = 0.004
"""Seconds that a guest loop may spend in one tick of its host, unless told otherwise."""


class Tick(NamedTuple):
    """What one tick of a guest loop left behind."""

    left: bool
    """Something is ready that the budget did not reach: come back as soon as you can."""
    next_due: float | None
    """When the next timer is due, in seconds of `EventLoop.time()`; None if none is set."""


class _NoSelector:
    """Stands where asyncio's selector would be: the I/O thread watches in its place."""

    def get_key(self, fd: object) -> None:
        """Nothing is watched here."""
        raise KeyError(fd)

    def close(self) -> None:
        """Nothing is open."""


class EventLoop(_native.LoopCore, SignalHandlers):
    """A complete asyncio event loop that also runs as a guest in a host's own loop.

    Alone, it is used like any other: `asyncio.Runner(loop_factory=aiobpy.EventLoop)`. As a guest,
    its host calls `run_ready` at a safe point, as often as it likes; between two calls the I/O
    thread goes on reading ahead, writing out, accepting and looking names up.
    """

    def __init__(self) -> None:
        super().__init__(_NoSelector())

    def run_ready(self, budget: float = DEFAULT_BUDGET) -> Tick:
        """Run what is ready, for `budget` seconds at most, and return.

        Turns are run as asyncio has them, one generation of callbacks each, until nothing is ready
        or the budget is spent; the time is looked at after each callback. `stop()` ends the tick
        with the present turn. While it runs, and only then, this is the running loop.

        Raises:
            RuntimeError: The loop is closed or running, or another loop runs in this thread.
        """
        if not self.has_ready():
            self._note_idle_tick()
            return Tick(left=False, next_due=self._next_due())
        self._enter()
        try:
            left = self._run_turns(budget)
        finally:
            self._stopping = False
            self._leave()
        return Tick(left, self._next_due())

    def run_forever(self) -> None:
        """Run until `stop()` is called."""
        self._enter()
        try:
            with self._signals_end_the_wait():
                self._run_until_stopped()
        finally:
            self._stopping = False
            self._leave()

    def close(self) -> None:
        """Close the loop: what has not run never will; the I/O thread ends."""
        if self.is_closed() and not self.is_running():
            return
        super().close()
        self._close_core()

    def _check_running(self) -> None:
        if self.is_running():
            msg = (
                "This event loop is already running: in a callback or a task of it, `await`, or"
                " start a task with `aiobpy.spawn`"
            )
            raise RuntimeError(msg)
        if events._get_running_loop() is not None:
            msg = "Cannot run the event loop while another loop is running"
            raise RuntimeError(msg)

    def _check_may_run(self) -> None:
        self._check_closed()
        self._check_running()

    def _enter(self) -> None:
        self._check_may_run()
        self._set_coroutine_origin_tracking(self._debug)
        self._hooks_of_host = sys.get_asyncgen_hooks()
        self._thread_id = threading.get_ident()
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook
        )
        events._set_running_loop(self)

    def _leave(self) -> None:
        self._thread_id = None
        events._set_running_loop(None)
        self._set_coroutine_origin_tracking(False)
        sys.set_asyncgen_hooks(*self._hooks_of_host)

    # Descriptors that a library watches itself.

    def _add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> _native.Handle:
        handle = self._new_handle(callback, args)
        self._watch_reader(_fileno(fd), handle)
        return handle

    def _add_writer(self, fd: Any, callback: Callable[..., object], *args: Any) -> _native.Handle:
        handle = self._new_handle(callback, args)
        self._watch_writer(_fileno(fd), handle)
        return handle

    def _remove_reader(self, fd: Any) -> bool:
        return not self.is_closed() and self._unwatch_reader(_fileno(fd))

    def _remove_writer(self, fd: Any) -> bool:
        return not self.is_closed() and self._unwatch_writer(_fileno(fd))

    # Sockets that a library reads and writes itself.

    async def sock_recv(self, sock: socket.socket, n: int) -> bytes:
        """Receive up to `n` bytes from a connected, non-blocking socket."""
        if type(sock) is not socket.socket or (self._debug and sock.gettimeout() != 0):
            return await super().sock_recv(sock, n)
        received = self._receive(sock.fileno(), n)
        return received if type(received) is bytes else await received

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        """Send all of `data` to a connected, non-blocking socket."""
        if (
            type(sock) is not socket.socket
            or type(data) is not bytes
            or (self._debug and sock.gettimeout() != 0)
        ):
            await super().sock_sendall(sock, data)
            return
        unsent = self._send_all(sock.fileno(), data)
        if unsent is not None:
            await unsent

    # Name look-ups, on Rust threads.

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[Any, ...]]:
        """Look a name up, as `socket.getaddrinfo` does, without a Python thread.

        Raises:
            socket.gaierror: The name is not known, or a family or a service does not go with it.
        """
        if base_events.socket.getaddrinfo is not _system_getaddrinfo:
            # A program's own, in the place where asyncio would call it.
            return await super().getaddrinfo(
                host, port, family=family, type=type, proto=proto, flags=flags
            )
        answers = await self._look_up(
            _host_text(host), _service_text(port), family, type, proto, flags
        )
        return [
            (_enum(socket.AddressFamily, family), _enum(socket.SocketKind, kind), *rest)
            for family, kind, *rest in answers
        ]

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int = 0
    ) -> tuple[str, str]:
        """Ask what an address is called, as `socket.getnameinfo` does, without a Python thread.

        Raises:
            socket.gaierror: The address is not one, or has no name and `flags` demand it.
            TypeError: `sockaddr` is not the tuple that the `socket` module uses.
        """
        if base_events.socket.getnameinfo is not _system_getnameinfo:
            return await super().getnameinfo(sockaddr, flags)
        return await self._look_up_name(*_numeric_address(sockaddr), flags)

    # Streams.

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: contextvars.Context | None = None,
    ) -> SocketTransport:
        return SocketTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
        **later: Any,
    ) -> asyncio.Transport:
        ssl_protocol = TlsProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        SocketTransport(self, rawsock, ssl_protocol, None, extra, server)
        return ssl_protocol._app_transport

    async def start_tls(
        self,
        transport: asyncio.BaseTransport,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> asyncio.Transport:
        """Go on with TLS on an open connection; returns the transport that takes the place.

        Raises:
            TypeError: `sslcontext` is not an `ssl.SSLContext`, or the transport cannot carry TLS.
            ssl.SSLError: The handshake failed.
        """
        if not isinstance(sslcontext, ssl.SSLContext):
            msg = f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
            raise TypeError(msg)
        if not getattr(transport, "_start_tls_compatible", False):
            msg = f"transport {transport!r} is not supported by start_tls()"
            raise TypeError(msg)
        waiter = self.create_future()
        ssl_protocol = TlsProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
            call_connection_made=False,
        )
        # Nothing may come before the handshake begins.
        transport.pause_reading()
        transport.set_protocol(ssl_protocol)
        begins = self.call_soon(ssl_protocol.connection_made, transport)
        resumes = self.call_soon(transport.resume_reading)
        try:
            await waiter
        except BaseException:
            transport.close()
            begins.cancel()
            resumes.cancel()
            raise
        return ssl_protocol._app_transport

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None = None,
        server: Any = None,
        backlog: int = 100,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
        **later: Any,
    ) -> None:
        if sock.type != socket.SOCK_STREAM:
            super()._start_serving(
                protocol_factory,
                sock,
                sslcontext,
                server,
                backlog,
                ssl_handshake_timeout,
                ssl_shutdown_timeout,
                **later,
            )
            return

        def accepted(result: int | OSError, address: Any) -> None:
            if isinstance(result, OSError):
                self._report_accept_failed(result, sock)
                self.call_later(constants.ACCEPT_RETRY_DELAY, self._go_on_accepting, sock.fileno())
                return
            connection = socket.socket(sock.family, sock.type, sock.proto, fileno=result)
            connection.setblocking(False)
            self.create_task(
                self._accept_connection2(
                    protocol_factory,
                    connection,
                    {"peername": address},
                    sslcontext,
                    server,
                    ssl_handshake_timeout,
                    ssl_shutdown_timeout,
                    **later,
                )
            )

        self._start_accepting(sock.fileno(), accepted)

    def _stop_serving(self, sock: socket.socket) -> None:
        self._stop_accepting(sock.fileno())
        super()._stop_serving(sock)

    def _report_accept_failed(self, error: OSError, sock: socket.socket) -> None:
        out_of = error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
        self.call_exception_handler(
            {
                "message": "socket.accept() out of system resource"
                if out_of
                else "socket.accept() failed",
                "exception": error,
                "socket": trsock.TransportSocket(sock),
            }
        )

    # Called from Rust: what a handle shows of itself, and debug mode.

    def _extract_stack(self) -> Any:
        return format_helpers.extract_stack(sys._getframe(1))

    def _callback_source(self, callback: Any, arguments: tuple[Any, ...]) -> str:
        options = {"debug": self.get_debug()} if _SOURCE_HIDES_ARGUMENTS else {}
        return format_helpers._format_callback_source(callback, arguments, **options)

    def _name_of_callback(self, handle: _native.Handle) -> str:
        """Return what the panel and the status call it: a task by its coroutine."""
        callback = handle._callback
        if callback is None:
            return "cancelled"
        task = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task):
            coroutine = task.get_coro()
            return getattr(coroutine, "__qualname__", None) or repr(coroutine)
        module = getattr(callback, "__module__", None)
        name = getattr(callback, "__qualname__", None) or repr(callback)
        return f"{module}.{name}" if module else name

    def _warn_of_slow_callback(self, handle: _native.Handle, seconds: float) -> None:
        base_events.logger.warning(
            "Executing %s took %.3f seconds", base_events._format_handle(handle), seconds
        )


_system_getaddrinfo = socket.getaddrinfo
_system_getnameinfo = socket.getnameinfo


def _fileno(fd: Any) -> int:
    """As `selectors` has it: a number, or an object with `fileno()`."""
    if isinstance(fd, int):
        number = fd
    else:
        try:
            number = int(fd.fileno())
        except (AttributeError, TypeError, ValueError):
            msg = f"Invalid file object: {fd!r}"
            raise ValueError(msg) from None
    if number < 0:
        msg = f"Invalid file descriptor: {number}"
        raise ValueError(msg)
    return number


def _host_text(host: bytes | str | None) -> str | None:
    if host is None or isinstance(host, str):
        return host and host.encode("idna").decode("ascii")
    return bytes(host).decode("ascii")


def _service_text(port: bytes | str | int | None) -> str | None:
    if port is None or isinstance(port, str):
        return port
    return port.decode("ascii") if isinstance(port, bytes) else str(int(port))


def _numeric_address(sockaddr: Any) -> tuple[str, int, int, int]:
    """Return address, port, flow information and scope of an address; asks nobody."""
    if not isinstance(sockaddr, tuple) or not 2 <= len(sockaddr) <= 4:
        msg = f"a socket address is a tuple of 2 to 4 values, not {sockaddr!r}"
        raise TypeError(msg)
    host, port, *rest = sockaddr
    if not isinstance(host, str) or not isinstance(port, int):
        msg = f"a socket address begins with a str and an int, not {sockaddr!r}"
        raise TypeError(msg)
    answers = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
    ip, port, *parts_of_v6 = cast("tuple[Any, ...]", answers[0][4])
    if rest and not parts_of_v6:
        msg = f"an IPv4 address has 2 parts, not those of {sockaddr!r}"
        raise OSError(msg)
    # A scope may stand in the address itself, as in `fe80::1%eth0`.
    flow_info, scope_id = (*rest, *parts_of_v6[len(rest) :]) or (0, 0)
    return ip, port, flow_info, scope_id


def _enum(kind: Any, value: int) -> Any:
    try:
        return kind(value)
    except ValueError:
        return value
