"""Stream transports: real `asyncio.Transport`s over a connection that Rust reads and writes."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import warnings
from asyncio import base_events, constants, futures, log, sslproto, transports, trsock
from typing import TYPE_CHECKING, Any

from aiobpy import _native

if TYPE_CHECKING:
    from aiobpy.loop import EventLoop


class SocketTransport(transports._FlowControlMixin, asyncio.Transport):
    """A connected stream socket.

    The bytes are moved by `_native.SocketConnection` on the I/O thread; this class decides when to
    pause, to close and to tell the protocol, to the letter of asyncio.
    """

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE

    _sock: socket.socket | None = None

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> None:
        super().__init__(extra, loop)
        self._extra["socket"] = trsock.TransportSocket(sock)
        self._extra["sockname"] = _or_none(sock.getsockname)
        if "peername" not in self._extra:
            self._extra["peername"] = _or_none(sock.getpeername)
        base_events._set_nodelay(sock)
        self._connection = _native.SocketConnection(loop, sock.fileno())
        self._sock = sock
        self._sock_fd = sock.fileno()
        self._context = contextvars.copy_context()
        self._protocol_connected = False
        self._server = server
        self._conn_lost = 0
        self._closing = False
        self._paused = False
        self._eof = False
        self._empty_waiter: asyncio.Future[None] | None = None
        self.set_protocol(protocol)
        # In the plain case a write needs no Python: Rust comes back to ours in every other.
        self.write = self._connection.write
        if server is not None:
            # Python 3.13 and later want to know whom to close.
            server._attach(self) if _attach_takes_transport(server) else server._attach()
        loop._transports[self._sock_fd] = self
        loop.call_soon(protocol.connection_made, self)
        loop.call_soon(self._start_reading)
        if waiter is not None:
            loop.call_soon(futures._set_result_unless_cancelled, waiter, None)

    def __repr__(self) -> str:
        state = "closed" if self._sock is None else "closing" if self._closing else "open"
        return (
            f"<{type(self).__name__} {state} fd={self._sock_fd} "
            f"read={'idle' if self._paused else 'ahead'} "
            f"write=<bufsize={self.get_write_buffer_size()}>>"
        )

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if self._sock is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._connection.close()
            self._sock.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """From now on `protocol` is told."""
        self._protocol = protocol
        self._protocol_connected = True
        self._connection.set_receiver(
            self, protocol, isinstance(protocol, asyncio.BufferedProtocol), self._context
        )

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that is told."""
        return self._protocol

    def is_closing(self) -> bool:
        """Return whether the transport is closed, or will be after its last byte."""
        return self._closing

    # Reading.

    def is_reading(self) -> bool:
        """Return whether the protocol is given what comes in."""
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        """Give the protocol nothing until `resume_reading()`; the read-ahead has its bound."""
        if not self.is_reading():
            return
        self._paused = True
        self._connection.pause()
        if self._loop.get_debug():
            log.logger.debug("%r pauses reading", self)

    def resume_reading(self) -> None:
        """Give the protocol what has come in meanwhile, and all that follows."""
        if self._closing or not self._paused:
            return
        self._paused = False
        self._connection.resume()
        if self._loop.get_debug():
            log.logger.debug("%r resumes reading", self)

    def _start_reading(self) -> None:
        if not self._closing:
            self._connection.start_reading()

    def _on_eof(self) -> None:
        if self._conn_lost:
            return
        if self._loop.get_debug():
            log.logger.debug("%r received EOF", self)
        try:
            keep_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fatal_error(error, "Fatal error: protocol.eof_received() call failed.")
            return
        if not keep_open:
            self.close()

    # Writing.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` as soon as the kernel takes it; never blocks.

        Raises:
            TypeError: `data` is not bytes-like.
            RuntimeError: `write_eof()` has been called.
        """
        if not isinstance(data, bytes):
            if not isinstance(data, (bytearray, memoryview)):
                msg = f"data argument must be a bytes-like object, not {type(data).__name__!r}"
                raise TypeError(msg)
            data = bytes(data)
        if self._eof:
            msg = "Cannot call write() after write_eof()"
            raise RuntimeError(msg)
        if self._empty_waiter is not None:
            msg = "unable to write; sendfile is in progress"
            raise RuntimeError(msg)
        if not data:
            return
        if self._conn_lost:
            if self._conn_lost >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                log.logger.warning("socket.send() raised exception.")
            self._conn_lost += 1
            return
        try:
            unsent = self._connection.send(data)
        except OSError as error:
            self._fatal_error(error, "Fatal write error on socket transport")
            return
        if unsent:
            self._maybe_pause_protocol()

    def write_eof(self) -> None:
        """Shut the sending side down after the last byte."""
        if self._closing or self._eof:
            return
        self._eof = True
        self._connection.set_plain(False)
        if self._connection.unsent():
            self._connection.flush(shut_down=True)
        else:
            self._sock.shutdown(socket.SHUT_WR)

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have been written and not sent."""
        return self._connection.unsent()

    def _maybe_pause_protocol(self) -> None:
        super()._maybe_pause_protocol()
        if self._protocol_paused and not self._connection.tell_below(self._low_water):
            self._loop.call_soon(self._maybe_resume_protocol)

    # `loop.sendfile` waits until all is sent, and then writes to the socket itself.

    def _make_empty_waiter(self) -> asyncio.Future[None]:
        if self._empty_waiter is not None:
            msg = "Empty waiter is already set"
            raise RuntimeError(msg)
        self._empty_waiter = self._loop.create_future()
        self._connection.set_plain(False)
        if self._connection.unsent():
            self._connection.flush(shut_down=False)
        else:
            self._empty_waiter.set_result(None)
        return self._empty_waiter

    def _reset_empty_waiter(self) -> None:
        self._empty_waiter = None
        self._connection.set_plain(not self._eof and not self._conn_lost)

    # Closing.

    def close(self) -> None:
        """Close after the last byte has been sent; nothing more is received."""
        if self._closing:
            return
        self._closing = True
        self._connection.stop_receiving()
        if not (self._protocol_paused and isinstance(self._protocol, sslproto.SSLProtocol)):
            self._connection.tell_end()
        # A paused protocol may have more to write when it is resumed, even if the I/O thread has
        # sent all by now: TLS says goodbye then.
        if self._connection.unsent() or self._protocol_paused:
            self._connection.flush(shut_down=False)
        else:
            self._lose_connection()
            self._loop.call_soon(self._call_connection_lost, None)

    def abort(self) -> None:
        """Close at once; what has not been sent is lost."""
        self._force_close(None)

    def _on_flushed(self) -> None:
        if self._conn_lost or self._connection.unsent():
            return
        self._maybe_resume_protocol()
        if self._connection.unsent():
            return
        if self._empty_waiter is not None and not self._empty_waiter.done():
            self._empty_waiter.set_result(None)
        if self._closing:
            self._lose_connection()
            self._call_connection_lost(None)

    def _fatal_error(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        if isinstance(error, OSError):
            if self._loop is not None and self._loop.get_debug():
                log.logger.debug("%r: %s", self, message, exc_info=error)
        elif self._loop is not None:
            self._loop.call_exception_handler(
                {
                    "message": message,
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
        self._force_close(error)

    def _force_close(self, error: BaseException | None) -> None:
        if self._conn_lost:
            return
        self._closing = True
        self._connection.stop_receiving()
        self._connection.discard_unsent()
        self._lose_connection()
        self._loop.call_soon(self._call_connection_lost, error)

    def _lose_connection(self) -> None:
        self._conn_lost += 1
        self._connection.set_plain(False)

    def _call_connection_lost(self, error: BaseException | None) -> None:
        try:
            if self._protocol_connected:
                self._protocol.connection_lost(error)
        finally:
            self._connection.close()
            self._sock.close()
            self._sock = None
            self._protocol = None
            self._loop = None
            server = self._server
            if server is not None:
                server._detach(self) if _attach_takes_transport(server) else server._detach()
                self._server = None
            if self._empty_waiter is not None and not self._empty_waiter.done():
                self._empty_waiter.set_exception(ConnectionError("Connection is closed by peer"))


def _or_none(address: Any) -> Any:
    try:
        return address()
    except OSError:
        return None


def _attach_takes_transport(server: Any) -> bool:
    return hasattr(server, "close_clients")
