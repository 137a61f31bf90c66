"""The other end of every guest: sources of bytes and an echo, in a process of their own.

python -m benches.loop.peer    prints its ports as JSON and serves until its stdin is closed.

It is not the limit: a source only calls `sendall` on a mebibyte, which is C with the GIL released,
and the echo is `read` and `write` on a non-blocking socket in an epoll loop, which took 0.5 µs an
echo more than the same in Rust, of 6 µs (nearly all of it the kernel's).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benches.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = os.urandom(1 << 20)


def main() -> None:
    """Serve."""
    with tempfile.TemporaryDirectory() as folder:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(new_certificate(Path(folder)))
    echo = socket.create_server(("127.0.0.1", 0), backlog=256)
    ports = {
        "plain": _serve_sources(lambda connection: connection),
        "tls": _serve_sources(lambda connection: tls.wrap_socket(connection, server_side=True)),
        "echo": echo.getsockname()[1],
    }
    print(json.dumps(ports), flush=True)
    _echo(echo)


@contextmanager
def running() -> Iterator[tuple[int, dict[str, int]]]:
    """Its process id and its ports, while it runs."""
    command = [sys.executable, "-m", "benches.loop.peer"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        yield peer.pid, json.loads(peer.stdout.readline())
        peer.stdin.close()


def new_certificate(folder: Path) -> Path:
    """A certificate for loopback and its key, in one file."""
    path = folder / "loopback.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -batch"
    subprocess.run(
        [*command.split(), "-keyout", path, "-out", folder / "certificate.pem"],
        check=True,
        capture_output=True,
    )
    with path.open("ab") as file:
        file.write((folder / "certificate.pem").read_bytes())
    return path


def _serve_sources(wrap: Callable[[socket.socket], socket.socket]) -> int:
    """Answer `GET /N` with N MiB, one request a connection, as fast as they are taken."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            connection, _address = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        # A reader whose time is up goes away.
        with contextlib.suppress(OSError), wrap(connection) as stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += stream.recv(65536)
            mebibytes = int(request.split()[1][1:])
            stream.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Length: %d\r\nConnection: close\r\n\r\n" % (mebibytes << 20)
            )
            for _ in range(mebibytes):
                stream.sendall(BLOCK)

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def _echo(listener: socket.socket) -> None:
    """Send back what comes, until stdin is closed."""
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    epoll.register(0, select.EPOLLIN | select.EPOLLHUP)
    listening = listener.fileno()
    open_: dict[int, socket.socket] = {}
    read, write = os.read, os.write
    while True:
        for fd, _events in epoll.poll():
            if fd == listening:
                connection, _address = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setblocking(False)
                open_[connection.fileno()] = connection
                epoll.register(connection, select.EPOLLIN)
                continue
            if fd == 0:
                return
            try:
                data = read(fd, 65536)
                if data:
                    write(fd, data)
                    continue
            except (BrokenPipeError, ConnectionResetError):
                pass
            open_.pop(fd).close()


if __name__ == "__main__":
    main()
