"""Asks an echo server as fast as it answers, after uvloop's `examples/bench/echoclient.py`.

python -m benches.loop.echo_client PORT SIZE CLIENTS SECONDS [tls]

Blocking sockets, a process for each client. Unlike the published one it looks at what comes back
and fails when the server is gone. Prints requests, seconds and requests in all as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import ssl
import sys
import time

CHECKED = 20
"""So many answers are compared before and after the time is taken."""


def main(port: int, size: int, clients: int, seconds: float, *, tls: bool) -> None:
    """Run the clients, and add up what they did."""
    context = multiprocessing.get_context("fork")
    with context.Pool(clients) as pool:
        asked = pool.starmap(ask, [(port, size, seconds, tls)] * clients, chunksize=1)
    print(
        json.dumps(
            {
                "per_second": round(sum(requests / took for requests, took in asked), 1),
                "requests": sum(requests + 2 * CHECKED for requests, _took in asked),
            }
        )
    )


def ask(port: int, size: int, seconds: float, tls: bool) -> tuple[int, float]:
    """Ask for so long; return how often and how long it took."""
    stream = socket.create_connection(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        stream = context.wrap_socket(stream)
    message = os.urandom(size)
    check(stream, message)
    requests = 0
    began = time.perf_counter()
    end = began + seconds
    while True:
        for _ in range(20):
            stream.sendall(message)
            missing = size
            while missing:
                received = len(stream.recv(size))
                if not received:
                    msg = "the server closed the connection"
                    raise ConnectionError(msg)
                missing -= received
        requests += 20
        now = time.perf_counter()
        if now >= end:
            break
    check(stream, message)
    return requests, now - began


def check(stream: socket.socket, message: bytes) -> None:
    """Ask, and compare what comes back."""
    for _ in range(CHECKED):
        stream.sendall(message)
        answer = b""
        while len(answer) < len(message):
            data = stream.recv(len(message))
            if not data:
                break
            answer += data
        if answer != message:
            msg = f"the echo of {len(message)} bytes is not what was sent: {len(answer)} bytes"
            raise ConnectionError(msg)


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        float(sys.argv[4]),
        tls="tls" in sys.argv[5:],
    )
