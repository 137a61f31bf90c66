"""Who soaks: opens connections by the thousand and treats them badly.

python -m tests.soak.peer PORT COUNT

Every connection sends a message of its own and does one of these: waits for the echo; sends half
and stalls until all are open; resets; closes its sending side first; asks for much and reads
slowly; leaves at once. An echo that is owed and not right ends the program with an error; one that
is closed before its first byte was turned away by a server without descriptors, and is counted.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass

KINDS = ("ask", "stall", "reset", "half-close", "slow", "leave")
PATIENCE = 120.0
"""Seconds without any news after which the subject is taken to be stuck."""
ADDRESSES = 16
"""Of loopback: one has not enough ports for all that is opened and closed."""
RESET = struct.pack("ii", 1, 0)
PATTERN = bytes(range(256)) * 256


@dataclass(eq=False)
class Connection:
    """One connection and what it still owes and is owed."""

    sock: socket.socket
    kind: str
    message: bytes
    sent: int = 0
    received: int = 0
    has_ended: bool = False
    was_turned_away: bool = False

    def step(self, *, may_finish: bool) -> bool:
        """Send and receive what goes; return whether it is over."""
        goal = len(self.message) if may_finish or self.kind != "stall" else len(self.message) // 2
        if self.sent < goal:
            with contextlib.suppress(BlockingIOError):
                self.sent += self.sock.send(self.message[self.sent : goal])
            if self.sent == len(self.message) and self.kind == "half-close":
                self.sock.shutdown(socket.SHUT_WR)
        if self.kind in ("reset", "leave") and self.sent == goal:
            return True
        try:
            # A slow one takes little at a time.
            data = self.sock.recv(4096 if self.kind == "slow" else 1 << 18)
        except BlockingIOError:
            return False
        if not data and not self.received:
            self.was_turned_away = True
            return True
        if not data:
            self.has_ended = True
        elif data != self.message[self.received : self.received + len(data)]:
            raise SystemExit(f"a wrong echo after {self.received} bytes of a {self.kind!r}")
        self.received += len(data)
        if self.kind == "half-close":
            if self.has_ended and self.received < len(self.message):
                raise SystemExit(f"ended after {self.received} of {len(self.message)} bytes")
            return self.has_ended
        if self.has_ended:
            raise SystemExit(f"the server ended a {self.kind!r} after {self.received} bytes")
        return self.received == len(self.message)

    def close(self) -> None:
        """Go, with a reset if that is its kind."""
        if self.kind == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


class Peer:
    """All connections of one round."""

    def __init__(self, port: int, count: int, seed: int) -> None:
        self.port = port
        self.count = count
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.open: set[Connection] = set()
        self.opened = 0
        self.most = 0
        self.turned_away = 0
        self.last_news = time.monotonic()

    def run(self) -> None:
        """Open all, finish all."""
        held: list[Connection] = []
        while self.opened < self.count or self.open:
            for _ in range(min(200, self.count - self.opened)):
                connection = self.connect()
                if connection.kind == "stall":
                    held.append(connection)
            self.most = max(self.most, len(self.open))
            may_finish = self.opened == self.count
            if may_finish and held:
                for connection in held:
                    if connection in self.open:
                        self.watch(connection)
                held = []
            for key, _events in self.selector.select(0.05):
                self.step(key.data, may_finish=may_finish)
            if time.monotonic() - self.last_news > PATIENCE:
                raise SystemExit(f"{len(self.open)} of {self.opened} connections are stuck")
        print(
            f"{self.opened} connections, {self.most} at once, {self.turned_away} turned away",
            end="",
        )
        if self.turned_away > self.opened // 10:
            raise SystemExit("more than a tenth were turned away")

    def connect(self) -> Connection:
        """Open one."""
        # Most stay open until all are.
        kind = self.random.choices(KINDS, weights=(2, 12, 1, 2, 1, 1))[0]
        size = self.random.choice((1, 100, 5_000, 60_000)) if kind != "slow" else 400_000
        sock = socket.socket()
        sock.connect((f"127.0.0.{1 + self.opened % ADDRESSES}", self.port))
        sock.setblocking(False)
        start = self.random.randrange(256)
        message = (PATTERN * (size // len(PATTERN) + 2))[start : start + size]
        connection = Connection(sock, kind, message)
        self.open.add(connection)
        self.opened += 1
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        return connection

    def watch(self, connection: Connection) -> None:
        """It may go on writing."""
        events = selectors.EVENT_READ
        if connection.sent < len(connection.message):
            events |= selectors.EVENT_WRITE
        self.selector.modify(connection.sock, events, connection)

    def step(self, connection: Connection, *, may_finish: bool) -> None:
        """Serve one that is ready."""
        before = (connection.sent, connection.received)
        try:
            is_over = connection.step(may_finish=may_finish)
        except OSError:
            # Reset, or not connected any more: by a server that could not have it.
            if connection.received:
                raise
            is_over = connection.was_turned_away = True
        if is_over or before != (connection.sent, connection.received):
            self.last_news = time.monotonic()
        if is_over:
            self.turned_away += connection.was_turned_away
            self.selector.unregister(connection.sock)
            self.open.discard(connection)
            connection.close()
        elif connection.kind == "stall" and not may_finish:
            if connection.sent == len(connection.message) // 2:
                self.selector.modify(connection.sock, selectors.EVENT_READ, connection)
        else:
            self.watch(connection)


if __name__ == "__main__":
    Peer(int(sys.argv[1]), int(sys.argv[2]), seed=random.randrange(1 << 30)).run()
