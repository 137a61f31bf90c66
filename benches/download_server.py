"""Answers any GET with so many MiB, as fast as the reader takes them, in a process of its own.

python -m benches.download_server MEBIBYTES    prints its port and serves until it is killed.
"""

from __future__ import annotations

import os
import socket
import sys

BLOCK = os.urandom(1 << 20)


def main(mebibytes: int) -> None:
    """Serve one connection after the other, one request each."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {mebibytes << 20}\r\nConnection: close\r\n\r\n"
    ).encode()
    while True:
        connection, _address = listener.accept()
        with connection:
            try:
                while b"\r\n\r\n" not in connection.recv(65536):
                    pass
                connection.sendall(head)
                for _ in range(mebibytes):
                    connection.sendall(BLOCK)
            except (ConnectionResetError, BrokenPipeError):
                # A reader whose time was up.
                continue


if __name__ == "__main__":
    main(int(sys.argv[1]))
