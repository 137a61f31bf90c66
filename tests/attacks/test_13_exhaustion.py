"""13. Clients that hold what they do not use, or send more than can be kept.

Mirrors slowloris, CVE-2023-43669 (tungstenite's growing headers), rapid resets of HTTP/2, frames
and fragments without end, and bombs. Time-outs are tried with short limits in the server's own
tests, and by slowhttptest in `cargo xtask judge slow`.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target

_TOO_LARGE = 1009
_PROTOCOL_ERROR = 1002


def test_connections_that_say_nothing_keep_nobody_out_for_good(attack: Attack) -> None:
    async def main(target: Target) -> None:
        opening = [asyncio.open_connection("127.0.0.1", target.port) for _ in range(600)]
        opened = await asyncio.gather(*opening, return_exceptions=True)
        answer = await target.ask("/healthz", token=False)
        assert answer.status in {0, 503}
        for connection in opened:
            if not isinstance(connection, BaseException):
                connection[1].close()
        statuses = {answer.status}
        while 200 not in statuses:
            statuses.add((await target.ask("/healthz", token=False)).status)
        assert statuses <= {0, 200, 503}

    attack(main)


def test_a_message_that_is_too_large_ends_the_websocket_and_no_more(attack: Attack) -> None:
    async def main(target: Target) -> None:
        headers = {"Authorization": f"Bearer {target.token}"}
        address = f"http://{target.host}/api/v1/echo"
        async with aiohttp.ClientSession(headers=headers) as client:
            async with client.ws_connect(address, max_msg_size=0) as socket:
                piece = bytes(1 << 20)
                # A frame that announces a terabyte: it is refused before it comes.
                transport = socket._writer.transport
                assert transport is not None
                transport.write(b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4) + piece)
                message = await socket.receive()
                assert message.type is aiohttp.WSMsgType.CLOSE
                assert message.data == _TOO_LARGE
            async with client.ws_connect(address) as socket:
                await socket.send_bytes(b"still here")
                assert await socket.receive_bytes() == b"still here"

    attack(main)


def test_fragments_without_end_are_bounded(attack: Attack) -> None:
    async def main(target: Target) -> None:
        headers = {"Authorization": f"Bearer {target.token}"}
        address = f"http://{target.host}/api/v1/echo"
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.ws_connect(address, max_msg_size=0) as socket,
        ):
            piece = bytes(1 << 20)
            frame = b"\x00\xff" + struct.pack(">Q", len(piece)) + bytes(4) + piece
            transport = socket._writer.transport
            assert transport is not None
            transport.write(b"\x02\x80" + bytes(4))
            for _ in range(64):
                transport.write(frame)
            message = await socket.receive()
            assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}

    attack(main)


def test_a_body_that_is_larger_than_it_may_be_is_refused(attack: Attack) -> None:
    async def main(target: Target) -> None:
        headers = {"Content-Type": "application/json"}
        body = b'{"text": "' + b"x" * (4 << 20) + b'"}'
        answer = await target.ask(
            "/api/v1/rpc/attacked.call", method="POST", headers=headers, body=body
        )
        assert answer.status == 413
        assert target.called == []

    attack(main)


def test_what_is_nested_without_end_is_refused(attack: Attack) -> None:
    async def main(target: Target) -> None:
        headers = {"Content-Type": "application/json"}
        for body in [b"[" * 100_000, b'{"text":' * 100_000, b'{"text": ' + b"[" * 5000 + b"}"]:
            for path in ["/api/v1/rpc/attacked.call", "/rpc"]:
                answer = await target.ask(path, method="POST", headers=headers, body=body)
                assert answer.status in {200, 400, 422}
        assert target.called == []
        assert (await target.ask()).status == 200

    attack(main)
