"""The other end of a connection, for tests."""

from __future__ import annotations

import socket


def connected_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a TCP connection; the first does not block, and is for the loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    listener.close()
    ours.setblocking(False)
    return ours, theirs
