"""HTTP/1.1 (RFC 9112) over asyncio's streams, as much of it as a client of our own server needs.

It runs on any loop of asyncio: in a shop's web server as well as in Blender. Connections are kept
and used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiobpy import online
from aiobpy.fleet.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiobpy.fleet.addresses import Address

_PIECE = 1 << 16
_LARGE_PIECE = 1 << 20
_LONGEST_HEAD = 1 << 16
_BROKEN = (OSError, asyncio.IncompleteReadError, ValueError)
_KEPT = 8
"""Connections that wait for the next request."""


class Pool:
    """Connections to one server.

    Args:
        address: Where it is.
        context: For TLS; the system's authorities if left out.
        connect_timeout: Seconds to connect in.

    Raises:
        OfflineError: It is on another machine, and Blender may not go online.
    """

    def __init__(
        self, address: Address, context: ssl.SSLContext | None, connect_timeout: float
    ) -> None:
        online.check(address.host)
        self.address = address
        self._context = (context or ssl.create_default_context()) if address.is_secure else None
        self._connect_timeout = connect_timeout
        self._idle: list[_Connection] = []
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        body: bytes | Path | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Response]:
        """Send a request; the answer's body can be read within the block.

        A request that is sent here may be sent once more, on a fresh connection, when the server
        has closed the one that was kept: each is safe to repeat, by its nature or by its key.

        Args:
            method: Of HTTP.
            path: As in `/api/v1/jobs`.
            body: To send; a file is read piece by piece.
            headers: Besides those that each request has.

        Raises:
            Unreachable: There is no connection, or it broke.
            OSError: The file cannot be read.
        """
        length = None if body is None else await _length_of(body)
        head = self._head(method, path, length, headers or {})
        connection, response = await self._send(method, head, body)
        try:
            yield response
        finally:
            if response.is_at_end and response.may_be_kept and len(self._idle) < _KEPT:
                self._put_back(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close what is kept; what is in use is closed by its user."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    async def _send(
        self, method: str, head: bytes, body: bytes | Path | None
    ) -> tuple[_Connection, Response]:
        while True:
            is_fresh = not self._idle
            connection = await self._connect() if is_fresh else self._idle.pop()
            try:
                await _write(connection.writer, head, body)
                response = await Response.read_head(connection.reader, method)
                response.broken = self._broken
                return connection, response
            except _BROKEN as error:
                connection.close()
                if is_fresh:
                    raise self._broken(error) from error
            except BaseException:
                connection.close()
                raise

    async def _connect(self) -> _Connection:
        if self._is_closed:
            msg = "the connection to the fleet is closed: it ends with its `async with` block"
            raise Unreachable(msg)
        at = self.address
        try:
            async with asyncio.timeout(self._connect_timeout):
                reader, writer = await asyncio.open_connection(
                    at.host, at.port, ssl=self._context, limit=_LONGEST_HEAD
                )
        except TimeoutError as error:
            msg = f"{at.url} did not answer within {self._connect_timeout:g} s"
            raise Unreachable(msg) from error
        except online.OfflineError:
            raise
        except OSError as error:
            msg = f"could not connect to {at.url}: {error}"
            raise Unreachable(msg) from error
        return _Connection(reader, writer)

    def _put_back(self, connection: _Connection) -> None:
        if self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _head(
        self, method: str, path: str, length: int | None, headers: Mapping[str, str]
    ) -> bytes:
        host = self.address.url.partition("://")[2]
        lines = {
            "Host": host,
            "Authorization": f"Bearer {self.address.token}",
            "Accept": "*/*",
            **({} if length is None else {"Content-Length": str(length)}),
            **headers,
        }
        text = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {_one_line(value)}\r\n" for name, value in lines.items()
        )
        return f"{text}\r\n".encode("latin-1")

    def _broken(self, error: Exception) -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(f"the connection to {self.address.url} broke: {reason}")


class Response:
    """An answer: its status, its headers with names in lower case, and its body to be read."""

    def __init__(
        self, reader: asyncio.StreamReader, status: int, headers: dict[str, str], has_body: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self.broken: Callable[[Exception], Exception] = lambda error: error
        """What to raise when the connection breaks."""
        self._reader = reader
        self._is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length")
        self._left = int(length) if length is not None and not self._is_chunked else None
        self.is_at_end = not has_body or self._left == 0
        is_framed = self._is_chunked or self._left is not None or self.is_at_end
        self.may_be_kept = is_framed and headers.get("connection", "").lower() != "close"

    @classmethod
    async def read_head(cls, reader: asyncio.StreamReader, method: str) -> Response:
        """Read up to the body, past what is only provisional (1xx).

        Raises:
            ValueError: It is not HTTP/1.1.
            asyncio.IncompleteReadError: The connection was closed.
        """
        while True:
            try:
                text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except asyncio.LimitOverrunError as error:
                msg = "the head of the answer is too long"
                raise ValueError(msg) from error
            status_line, *lines = text.rstrip("\r\n").split("\r\n")
            version, _, rest = status_line.partition(" ")
            if not version.startswith("HTTP/1."):
                msg = f"the answer is not HTTP/1.1: it begins with {status_line[:40]!r}"
                raise ValueError(msg)
            status = int(rest[:3])
            pairs = (line.partition(":") for line in lines)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            if status >= 200:
                return cls(reader, status, headers, method != "HEAD" and status not in (204, 304))

    @property
    def is_success(self) -> bool:
        """Whether the status is one."""
        return 200 <= self.status < 300

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            Unreachable: The connection broke.
        """
        while not self.is_at_end:
            try:
                piece = await self._next()
            except _BROKEN as error:
                raise self.broken(error) from error
            if piece:
                yield piece

    async def body(self) -> bytes:
        """Return what is left of the body."""
        return b"".join([piece async for piece in self.pieces()])

    async def json(self) -> Any:
        """Return the body as a JSON value."""
        return json.loads(await self.body())

    async def _next(self) -> bytes:
        if self._is_chunked:
            return await self._next_chunk()
        piece = await self._reader.read(_PIECE if self._left is None else min(_PIECE, self._left))
        if self._left is None:
            self.is_at_end = not piece
            return piece
        self._left -= len(piece)
        if not piece:
            raise asyncio.IncompleteReadError(b"", self._left)
        self.is_at_end = self._left == 0
        return piece

    async def _next_chunk(self) -> bytes:
        size = int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        if size == 0:
            # Fields after the body, of which there are none of ours.
            while await self._reader.readuntil(b"\r\n") != b"\r\n":
                pass
            self.is_at_end = True
            return b""
        piece = await self._reader.readexactly(size)
        await self._reader.readexactly(2)
        return piece


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def close(self) -> None:
        # At once: nobody is interested in what may still come.
        self.writer.transport.abort()


async def _length_of(body: bytes | Path) -> int:
    if isinstance(body, bytes):
        return len(body)
    return (await asyncio.to_thread(body.stat)).st_size


async def _write(writer: asyncio.StreamWriter, head: bytes, body: bytes | Path | None) -> None:
    if not isinstance(body, Path):
        writer.write(head + (body or b""))
        await writer.drain()
        return
    writer.write(head)
    # The disk may be far away, and a loop does not wait for it.
    with await asyncio.to_thread(body.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _LARGE_PIECE):
            writer.write(piece)
            await writer.drain()


def _one_line(value: str) -> str:
    if "\r" in value or "\n" in value:
        msg = f"{value!r} cannot be the value of a header: it has a line break"
        raise ValueError(msg)
    return value
