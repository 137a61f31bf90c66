"""11. A request hidden in another, where two readers disagree about where one ends.

Mirrors CVE-2024-52304 and CVE-2025-53643 (aiohttp), CVE-2025-69229 (many small chunks),
CVE-2026-22815 (floods of headers and trailers), and the splitting of answers by an application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aiobpy import web

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target

_HIDDEN = b"POST /api/v1/rpc/attacked.call HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"X: a\r\n folded: b\r\nContent-Length: 0\r\n",
        b"X\0: a\r\n",
        b": no name\r\n",
    ],
)
def test_an_ambiguous_request_hides_no_other(attack: Attack, head: bytes) -> None:
    async def main(target: Target) -> None:
        known = f"Host: {target.host}\r\nAuthorization: Bearer {target.token}\r\n".encode()
        kind = b"Content-Type: application/json\r\n"
        hidden = _HIDDEN + known + kind + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        outer = b"POST /a/nowhere HTTP/1.1\r\n" + known + kind + head + b"\r\n"
        for body in [b"0\r\n\r\n", b"5\r\n"]:
            await target.raw(outer + body + hidden)
        assert target.called == []

    attack(main)


def test_chunk_extensions_and_bare_line_feeds_do_not_hide_one(attack: Attack) -> None:
    async def main(target: Target) -> None:
        known = f"Host: {target.host}\r\nAuthorization: Bearer {target.token}\r\n".encode()
        head = known + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunks in [b"2;a=\n\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"2\r\n{}x\r\n0\r\n\r\n"]:
            request = b"POST /a/nowhere HTTP/1.1\r\n" + head + chunks
            await target.raw(request + _HIDDEN + known + b"Connection: close\r\n\r\n")
        assert target.called == []

    attack(main)


def test_floods_of_headers_are_refused(attack: Attack) -> None:
    async def main(target: Target) -> None:
        start = f"GET /healthz HTTP/1.1\r\nHost: {target.host}\r\n".encode()
        many = b"".join(b"x%d: y\r\n" % number for number in range(5000))
        long = b"x: " + b"y" * (1 << 20) + b"\r\n"
        for headers in [many, long]:
            answer = await target.raw(start + headers + b"\r\n")
            assert not answer.startswith(b"HTTP/1.1 2")
        assert (await target.ask()).status == 200

    attack(main)


def test_many_small_chunks_are_read_in_no_time(attack: Attack) -> None:
    async def main(target: Target) -> None:
        chunks = b"1\r\n \r\n" * 100_000 + b"2\r\n{}\r\n0\r\n\r\n"
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        lines = [
            "POST /api/v1/rpc/attacked.call HTTP/1.1",
            f"Host: {target.host}",
            f"Authorization: Bearer {target.token}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        answer = await target.raw("\r\n".join([*lines, "", ""]).encode() + chunks)
        assert answer.startswith(b"HTTP/1.1 200")
        assert target.called == [""]

    attack(main)


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nSet-Cookie: b=c"),
        (b"x", b"a\nb"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"", b"a"),
        (b"x", b"a\0"),
    ],
)
def test_an_application_cannot_split_its_answer(
    attack: Attack, header: tuple[bytes, bytes]
) -> None:
    async def split(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [header]})
        await send({"type": "http.response.body", "body": b""})

    web.site("splitting").mount("/", split)

    async def main(target: Target) -> None:
        answer = await target.ask("/a/splitting/")
        assert answer.status == 500
        assert "set-cookie" not in answer.headers

    attack(main)
