"""The other side of 200 busy connections: downloads that never end, a WebSocket feed, stamps.

It has to be cheap, because it shares the machine: a real one would be elsewhere. Prints its ports
as JSON. For each line `BEGAN ENDED` on its standard input (seconds of the monotonic clock) it
prints the bytes sent in between; it ends with its input.

python -m benches.gui.feeder
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import hashlib
import json
import random
import struct
import sys
import time
from typing import Any

import aiobpy

CONNECTIONS = 200
MEBIBYTES_PER_SECOND = 20.0
"""Of all connections together."""
INTERVAL = 0.2
"""Seconds between two pieces of a connection."""
LENGTH = 16 << 20
"""Bytes of a download: more than any will get to."""
STAMP = struct.Struct("d")
"""When a stamp was sent, in seconds of the monotonic clock."""

PIECE = bytes(int(MEBIBYTES_PER_SECOND * (1 << 20) * INTERVAL / CONNECTIONS))
_MESSAGE = b"\x82\x7e" + len(PIECE).to_bytes(2, "big") + PIECE
"""A binary frame (RFC 6455, section 5.2) of one piece, whose length takes 16 bits."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

sent = 0
history: list[tuple[float, int]] = []


class Download(asyncio.Protocol):
    """Answers any request with a body without end, or with a feed if it asks for a WebSocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request."""
        self._transport: Any = transport
        self._piece = PIECE

    def data_received(self, data: bytes) -> None:
        """Answer once."""
        head, _, _ = data.partition(b"\r\n\r\n")
        keys = [line.split(b": ")[1] for line in head.split(b"\r\n") if _is_key(line)]
        if keys:
            accept = base64.b64encode(hashlib.sha1(keys[0] + _GUID).digest())
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self._piece = _MESSAGE
        else:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LENGTH)
        asyncio.get_running_loop().call_later(random.random() * INTERVAL, self._send)

    def _send(self) -> None:
        global sent
        if self._transport.is_closing():
            return
        # A client that does not keep up gets less.
        if not self._transport.get_write_buffer_size():
            self._transport.write(self._piece)
            sent += len(self._piece)
        asyncio.get_running_loop().call_later(INTERVAL, self._send)


async def stamps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the time after each pause that the client names, in seconds."""
    while pause := await reader.readline():
        await asyncio.sleep(float(pause))
        writer.write(STAMP.pack(time.monotonic()))
    writer.close()


async def keep_history() -> None:
    """Note how much has been sent, now and then."""
    while True:
        history.append((time.monotonic(), sent))
        await asyncio.sleep(INTERVAL / 2)


def sent_between(began: float, ended: float) -> int:
    """Return the bytes that were sent between two times."""
    times = [when for when, _ in history]
    first, last = (bisect.bisect(times, when) - 1 for when in (began, ended))
    return history[last][1] - history[first][1]


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    feeding = await loop.create_server(Download, "127.0.0.1", 0, backlog=CONNECTIONS)
    stamping = await asyncio.start_server(stamps, "127.0.0.1", 0)
    noting = asyncio.create_task(keep_history())
    ports = [server.sockets[0].getsockname()[1] for server in (feeding, stamping)]
    print(json.dumps(dict(zip(("http", "stamps"), ports, strict=True))), flush=True)
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while line := await questions.readline():
        print(sent_between(*map(float, line.split())), flush=True)
    noting.cancel()


def _is_key(line: bytes) -> bool:
    return line.lower().startswith(b"sec-websocket-key:")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=aiobpy.EventLoop) as runner:
        runner.run(main())
