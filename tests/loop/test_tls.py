"""TLS: what is written arrives, however the bytes on the wire are cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from aiobpy.tls import TlsProtocol
from tests.loop.peers import connected_pair

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from aiobpy.testing import FakeHost

RECORD = 16 << 10
SIZES = (1, 700, RECORD - 1, RECORD, RECORD + 1, 3 * RECORD + 5, 40 * RECORD)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -batch"
    command += " -keyout server.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    path = folder / "server.pem"
    with path.open("ab") as file:
        file.write((folder / "certificate.pem").read_bytes())
    return path


def client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    return context


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Received(asyncio.Protocol):
    """Keeps what comes, and sends nothing."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.data = bytearray()
        self.types: set[type] = set()
        self.has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert data
        self.types.add(type(data))
        self.data += data

    def eof_received(self) -> None:
        self.has_ended = True


class Buffered(asyncio.BufferedProtocol):
    """The same, through a small buffer of its own."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.buffer = bytearray(5000)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.data += self.buffer[:count]


class Wire(asyncio.Transport):
    """Between a `TlsProtocol` and an `SSLObject` at the other end."""

    def __init__(self, other_incoming: ssl.MemoryBIO) -> None:
        super().__init__()
        self.other_incoming = other_incoming

    def write(self, data: Any) -> None:
        self.other_incoming.write(data)

    def pause_reading(self) -> None:
        """All is given to it all the same."""

    def resume_reading(self) -> None:
        """All is given to it all the same."""

    def abort(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", [Received, Buffered])
@pytest.mark.parametrize("longest_cut", [7, 1000, 40000])
def test_records_arrive_however_they_are_cut(
    host: FakeHost,
    certificate: Path,
    version: ssl.TLSVersion,
    kind: type[Received | Buffered],
    longest_cut: int,
) -> None:
    to_other, from_other = ssl.MemoryBIO(), ssl.MemoryBIO()
    other = server_context(certificate).wrap_bio(to_other, from_other, server_side=True)
    application = kind()
    made = host.loop.create_future()
    protocol = TlsProtocol(host.loop, application, client_context(version), made)
    protocol.connection_made(Wire(to_other))
    chance = random.Random(longest_cut)

    def cross(longest: int) -> None:
        encrypted = from_other.read()
        while encrypted:
            cut = chance.randint(1, longest)
            room = protocol.get_buffer(-1)
            room[: len(encrypted[:cut])] = encrypted[:cut]
            protocol.buffer_updated(len(encrypted[:cut]))
            encrypted = encrypted[cut:]
            if chance.random() < 0.1:
                # What was put off to another turn of the loop.
                host.run(asyncio.sleep(0))

    while not made.done():
        with contextlib.suppress(ssl.SSLWantReadError):
            other.do_handshake()
        cross(RECORD)
        host.run(asyncio.sleep(0))
    sent = b""
    for size in (1, 700, RECORD - 1, 2 * RECORD + 1, 3, 60000):
        data = chance.randbytes(size)
        other.write(data)
        sent += data
        if chance.random() < 0.7:
            cross(longest_cut)
    cross(longest_cut)
    for _ in range(100):
        host.run(asyncio.sleep(0))
    assert application.data == sent
    protocol._transport.abort()
    protocol.connection_lost(None)


def serve_echo(context: ssl.SSLContext, sock: socket.socket, total: int) -> threading.Thread:
    """Send back `total` bytes, as they come, and say goodbye."""

    def serve() -> None:
        with context.wrap_socket(sock, server_side=True) as stream:
            left = total
            while left:
                data = stream.recv(65536)
                left -= len(data)
                stream.sendall(data)
            stream.unwrap().close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("size", SIZES)
def test_a_guest_gets_back_what_it_sends(host: FakeHost, certificate: Path, size: int) -> None:
    ours, theirs = connected_pair()
    data = random.Random(size).randbytes(size)
    thread = serve_echo(server_context(certificate), theirs, 3 * size)

    async def ask() -> Received:
        lost = asyncio.get_running_loop().create_future()

        class Losing(Received):
            def connection_lost(self, error: Exception | None) -> None:
                lost.set_result(error)

        transport, received = await asyncio.get_running_loop().create_connection(
            Losing, sock=ours, ssl=client_context(ssl.TLSVersion.TLSv1_3), server_hostname=""
        )
        transport.write(bytearray(data))
        transport.writelines([data, memoryview(data)])
        assert await lost is None
        return received

    received = host.run(ask())
    thread.join()
    assert received.data == data * 3
    assert received.types == {bytes}
    assert received.has_ended


def test_write_takes_bytes_only(host: FakeHost, certificate: Path) -> None:
    ours, theirs = connected_pair()
    thread = serve_echo(server_context(certificate), theirs, 1)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(
            sock=ours, ssl=client_context(ssl.TLSVersion.TLSv1_3), server_hostname=""
        )
        with pytest.raises(TypeError, match="expecting a bytes-like instance, got str"):
            writer.write("x")  # type: ignore[arg-type]
        writer.write(b"")
        writer.write(b"x")
        assert await reader.read() == b"x"
        writer.close()
        await writer.wait_closed()

    host.run(ask())
    thread.join()


def test_pausing_holds_back_what_was_read_ahead(host: FakeHost, certificate: Path) -> None:
    ours, theirs = connected_pair()
    data = random.Random(0).randbytes(4 << 20)
    context = server_context(certificate)

    def serve() -> None:
        with context.wrap_socket(theirs, server_side=True) as stream:
            stream.sendall(data)
            stream.unwrap().close()

    thread = threading.Thread(target=serve)
    thread.start()

    async def read() -> bytes:
        reader, writer = await asyncio.open_connection(
            sock=ours, ssl=client_context(ssl.TLSVersion.TLSv1_3), server_hostname="", limit=1000
        )
        received = bytearray()
        while some := await reader.read(3001):
            received += some
        writer.close()
        return bytes(received)

    assert host.run(read()) == data
    thread.join()


def test_an_ssl_object_of_the_applications_own_class_is_asked(
    host: FakeHost, certificate: Path
) -> None:
    ours, theirs = connected_pair()
    size = 10 * RECORD
    thread = serve_echo(server_context(certificate), theirs, size)
    moved = {"read": 0, "written": 0}

    class Counting(ssl.SSLObject):
        def read(self, *arguments: Any) -> Any:
            result: Any = super().read(*arguments)
            moved["read"] += result if isinstance(result, int) else len(result)
            return result

        def write(self, data: Any) -> int:
            count = super().write(data)
            moved["written"] += count
            return count

    context = client_context(ssl.TLSVersion.TLSv1_3)
    context.sslobject_class = Counting

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(sock=ours, ssl=context, server_hostname="")
        writer.write(bytes(size))
        received = await reader.read(-1)
        writer.close()
        return received

    assert host.run(ask()) == bytes(size)
    thread.join()
    assert moved == {"read": size, "written": size}


def test_a_buffer_that_is_kept_fails_the_connection(host: FakeHost, certificate: Path) -> None:
    ours, theirs = connected_pair()
    kept: list[memoryview] = []
    told: list[dict[str, Any]] = []
    host.loop.set_exception_handler(lambda _loop, context: told.append(context))

    def serve() -> None:
        with (
            contextlib.suppress(OSError),
            server_context(certificate).wrap_socket(theirs, server_side=True) as stream,
        ):
            stream.sendall(bytes(10 * RECORD))
            stream.recv(1)

    class Keeping(ssl.SSLObject):
        def read(self, *arguments: Any) -> Any:
            most, *buffers = arguments
            kept.extend(map(memoryview, buffers))
            return super().read(most, *(kept[-1:] if buffers else ()))

    context = client_context(ssl.TLSVersion.TLSv1_3)
    context.sslobject_class = Keeping
    thread = threading.Thread(target=serve)
    thread.start()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(
            sock=ours, ssl=context, server_hostname="", limit=100 * RECORD
        )
        with pytest.raises(BufferError):
            await reader.readexactly(10 * RECORD)
        writer.close()

    host.run(ask())
    thread.join()
    assert isinstance(told[0]["exception"], BufferError)
    # What it was given is its own for as long as it likes.
    assert kept[0][:1].tobytes() == bytes(1)
