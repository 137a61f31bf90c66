"""For judges that cannot send a token: whatever goes through here carries it.

Between two clients of the same user, as a judge and the judged are; nothing else may do so.
"""

from __future__ import annotations

import asyncio

_END = b"\r\n\r\n"


async def start(port: int, token: str) -> asyncio.Server:
    """Listen on a free port of loopback, for requests without a body and for WebSockets."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = None
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(
                _heads(reader, to_server, port, token), _bytes(from_server, writer)
            )
        except (OSError, asyncio.IncompleteReadError):
            pass  # either has hung up
        finally:
            for stream in (writer, to_server):
                if stream is not None:
                    stream.close()

    return await asyncio.start_server(relay, "127.0.0.1", 0)


async def _heads(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, token: str
) -> None:
    while head := await _head(reader):
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"host:")]
        lines[1:1] = [f"Host: 127.0.0.1:{port}".encode(), f"Authorization: Bearer {token}".encode()]
        writer.write(b"\r\n".join(lines))
        if b"\nupgrade:" in head.lower():
            await _bytes(reader, writer)
            return
    writer.write_eof()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(_END)
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
