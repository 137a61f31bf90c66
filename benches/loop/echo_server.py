"""An echo server by each of asyncio's ways, after uvloop's `examples/bench/echoserver.py`.

python -m benches.loop.echo_server LOOP MODE [CERTIFICATE]    prints its port; serves until killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any

from benches.loop.drivers import new_loop, settle_allocator

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Coroutine

SIZE = 102400


async def sockets(listener: socket.socket, _tls: ssl.SSLContext | None) -> None:
    """By `sock_recv` and `sock_sendall`."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)

    async def answer(client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, contextlib.suppress(ConnectionError):
            while data := await loop.sock_recv(client, SIZE):
                await loop.sock_sendall(client, data)

    while True:
        client, _address = await loop.sock_accept(listener)
        _tasks.add(loop.create_task(answer(client)))


async def streams(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    """By reader and writer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _no_delay(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(SIZE):
                writer.write(data)
        writer.close()

    await asyncio.start_server(answer, sock=listener, ssl=tls)


async def proto(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    """By a protocol."""
    await asyncio.get_running_loop().create_server(Echo, sock=listener, ssl=tls)


async def buffered(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    """By a buffered protocol."""
    await asyncio.get_running_loop().create_server(BufferedEcho, sock=listener, ssl=tls)


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        _no_delay(transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)  # type: ignore[attr-defined]


class BufferedEcho(asyncio.BufferedProtocol):
    """Sends back what comes, from a buffer of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        _no_delay(transport)
        self.transport = transport
        self.buffer = bytearray(256 * 1024)

    def get_buffer(self, _sizehint: int) -> bytearray:
        """The same again and again."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Send it back; the slice copies, as the next read overwrites the buffer."""
        self.transport.write(self.buffer[:nbytes])  # type: ignore[attr-defined]


MODES: dict[str, Callable[[socket.socket, ssl.SSLContext | None], Coroutine[Any, Any, None]]] = {
    "sockets": sockets,
    "streams": streams,
    "proto": proto,
    "buffered": buffered,
    "tls-streams": streams,
    "tls-proto": proto,
}
_tasks: set[asyncio.Task[None]] = set()


def _no_delay(transport: asyncio.BaseTransport | asyncio.StreamWriter) -> None:
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def main(name: str, mode: str, certificate: str | None = None) -> None:
    """Serve."""
    settle_allocator()
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    # rloop detaches the socket.
    port = listener.getsockname()[1]
    loop = new_loop(name)
    asyncio.set_event_loop(loop)
    serving = loop.create_task(MODES[mode](listener, tls))
    _tasks.add(serving)
    loop.call_soon(lambda: print(port, flush=True))
    gc.collect()
    gc.freeze()
    loop.run_forever()


def port_of(server: subprocess.Popen[str]) -> str:
    """What a server that was started prints first."""
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    if not port:
        msg = "the echo server did not start; what it said is above"
        raise RuntimeError(msg)
    return port


if __name__ == "__main__":
    main(*sys.argv[1:])
