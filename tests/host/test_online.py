"""What leaves the machine asks Blender first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiobpy import online
from tests.host.program import run_in_bpy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", ""],
)
def test_this_machine(host: str) -> None:
    assert online.is_this_machine(host)


@pytest.mark.parametrize(
    "host", ["example.org", "10.0.0.1", "192.168.1.5", "fe80::1%eth0", "localhost.example.org"]
)
def test_another_machine(host: str) -> None:
    assert not online.is_this_machine(host)


def test_blender_that_may_not_go_online_reaches_this_machine_alone(python: Path) -> None:
    printed = run_in_bpy(
        '''
import socket

async def refused(name, work):
    try:
        await work
    except aiobpy.OfflineError as error:
        print(name, "|", error)

async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("localhost", port)
    print("here", await reader.read())
    writer.close()
    await refused("fetch", aiobpy.fetch("https://example.org/x"))
    await refused("download", aiobpy.download("http://127.0.0.1:1/", "/nowhere", mirrors=["http://10.1.1.1/"]))
    await refused("stream", asyncio.open_connection("10.1.1.1", 80))
    await refused("name", loop.getaddrinfo("example.org", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        await refused("datagram", loop.sock_sendto(datagrams, b"x", ("10.1.1.1", 9)))
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    transport.sendto(b"x", transport.get_extra_info("sockname"))
    try:
        transport.sendto(b"x", ("10.1.1.1", 9))
    except aiobpy.OfflineError as error:
        print("transport |", error)
    transport.close()
    bpy.context.preferences.system.use_online_access = True
    from aiobpy import online
    print("allowed", online.is_allowed(), online.check("example.org"))

aiobpy.run(main())
leave()
''',
        python,
    )
    lines = printed.splitlines()[-8:]
    assert lines[0] == "here b''"
    assert [line.partition(" ")[0] for line in lines[1:7]] == [
        "fetch",
        "download",
        "stream",
        "name",
        "datagram",
        "transport",
    ]
    assert "scripts wants to reach example.org, but Blender may not go online" in lines[1]
    assert "use_online_access = True" in lines[1]
    assert lines[7] == "allowed True None"
