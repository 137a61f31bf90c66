"""A guest whose host is busy: I/O goes on within its bounds, and a tick stays within its own.

Where a host is blocked in these tests, it is because the test itself, between two ticks, is the
blocking peer at the other end.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.loop.peers import connected_pair

if TYPE_CHECKING:
    from aiobpy.testing import FakeHost

MIB = 1 << 20


class Collector(asyncio.Protocol):
    """Keeps all that it is told, in order."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = bytearray()
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")


def connect(host: FakeHost, ours: socket.socket) -> Collector:
    async def connect() -> Collector:
        _, protocol = await host.loop.create_connection(Collector, sock=ours)
        return protocol

    return host.run(connect())


def test_what_comes_in_during_a_block_is_delivered_in_order_and_then_the_end(
    host: FakeHost,
) -> None:
    ours, theirs = connected_pair()
    collector = connect(host, ours)
    sent = b"".join(number.to_bytes(4, "big") for number in range(MIB // 4))
    theirs.sendall(sent)
    theirs.close()
    assert not collector.received
    assert not collector.told
    host.tick_until(lambda: "lost" in collector.told)
    assert collector.received == sent
    assert collector.told == ["eof", "lost"]


def test_what_was_written_is_sent_and_closed_during_a_block(host: FakeHost) -> None:
    ours, theirs = connected_pair()
    collector = connect(host, ours)
    collector.transport.write(b"w" * (8 * MIB))
    collector.transport.close()
    # The peer sees every byte and then the end, with no tick in between.
    theirs.settimeout(20)
    received = 0
    while data := theirs.recv(MIB):
        received += len(data)
    assert received == 8 * MIB
    assert collector.told == [], "the protocol hears of it in a tick"
    host.tick_until(lambda: collector.told == ["lost"])
    theirs.close()


def test_an_idle_connection_is_closed_for_the_peer_during_a_block(host: FakeHost) -> None:
    ours, theirs = connected_pair()
    collector = connect(host, ours)
    collector.transport.close()
    theirs.settimeout(20)
    assert theirs.recv(1) == b""
    host.tick_until(lambda: collector.told == ["lost"])
    theirs.close()


def test_all_connections_together_read_ahead_no_more_than_their_bound(host: FakeHost) -> None:
    host.loop.set_read_ahead(MIB, 2 * MIB)
    pairs = [connected_pair() for _ in range(4)]
    collectors = [connect(host, ours) for ours, _ in pairs]
    sent = [_send_until_stopped(theirs) for _, theirs in pairs]
    # A connection reads at least a little, however much the others hold.
    assert host.loop.read_ahead_held() <= 3 * MIB
    host.tick_until(lambda: [len(it.received) for it in collectors] == sent)
    for (_, theirs), collector in zip(pairs, collectors, strict=True):
        collector.transport.abort()
        theirs.close()
    host.tick()


def test_connections_share_a_tick_when_one_has_much_to_deliver(host: FakeHost) -> None:
    (ours, theirs), (our_other, their_other) = connected_pair(), connected_pair()
    flood, trickle = connect(host, ours), connect(host, our_other)
    _send_until_stopped(theirs)
    held = host.loop.read_ahead_held()
    their_other.sendall(b"x")
    while host.loop.read_ahead_held() == held:
        pass
    while not trickle.received:
        assert host.loop.run_ready(0.0).left
    assert 0 < len(flood.received) < held, "the other one did not wait for all of it"
    for collector in (flood, trickle):
        collector.transport.abort()
    host.tick()
    theirs.close()
    their_other.close()


def test_a_burst_of_connections_is_accepted_over_several_ticks(host: FakeHost) -> None:
    made: list[asyncio.BaseTransport] = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    async def serve() -> asyncio.Server:
        return await host.loop.create_server(Server, "127.0.0.1", 0, backlog=200)

    server = host.run(serve())
    address = server.sockets[0].getsockname()
    peers = [socket.create_connection(address) for _ in range(200)]
    largest = 0
    while len(made) < len(peers):
        before = len(asyncio.all_tasks(host.loop))
        host.loop.run_ready(0.0)
        largest = max(largest, len(asyncio.all_tasks(host.loop)) - before)
        host.loop._wait_for_ready(10)
    assert 0 < largest <= 16, "a tick without budget began to serve only so many"
    server.close()
    for transport in made:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
    host.run(server.wait_closed())
    host.tick()
    for peer in peers:
        peer.close()


def test_a_write_of_100_mib_takes_no_longer_than_looking_at_a_few_of_them(
    host: FakeHost,
) -> None:
    """Nothing is copied but what the kernel takes at once: a copy alone would cost a frame."""
    ours, theirs = connected_pair()
    collector = connect(host, ours)
    data = bytes(100 * MIB)
    began = time.perf_counter()
    copy = bytearray(data)
    copying = time.perf_counter() - began
    del copy
    references = sys.getrefcount(data)
    began = time.perf_counter()
    collector.transport.write(data)
    writing = time.perf_counter() - began
    assert writing < copying / 4
    theirs.settimeout(20)
    received = 0
    while received < len(data):
        received += len(theirs.recv(4 * MIB))
    host.tick_until(lambda: sys.getrefcount(data) == references)
    collector.transport.abort()
    host.tick()
    theirs.close()


@pytest.mark.parametrize("way", ["abort", "close the loop"])
def test_what_is_never_sent_is_not_kept(host: FakeHost, way: str) -> None:
    ours, theirs = connected_pair()
    collector = connect(host, ours)
    data = bytes(64 * MIB)
    references = sys.getrefcount(data)
    collector.transport.write(data)
    assert sys.getrefcount(data) > references, "it waits to be sent, and is not a copy"
    collector.transport.abort()
    if way == "abort":
        host.tick_until(lambda: sys.getrefcount(data) == references)
    else:
        host.loop.close()
        assert sys.getrefcount(data) == references
        collector.transport._call_connection_lost(None)  # type: ignore[attr-defined]
    theirs.close()


def _send_until_stopped(peer: socket.socket) -> int:
    peer.settimeout(0.5)
    sent = 0
    try:
        while sent < 512 * MIB:
            sent += peer.send(b"x" * MIB)
    except TimeoutError:
        return sent
    pytest.fail(f"nothing stopped the peer after {sent} bytes")
