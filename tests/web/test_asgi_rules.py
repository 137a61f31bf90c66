"""Rules of ASGI that servers get wrong; the numbers are those of granian's issues."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import aiobpy.server
from aiobpy import web
from tests.web.raw import Raw

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Run

START = {"type": "http.response.start", "status": 200, "headers": []}


def mount(application: Any) -> None:
    async def without_a_life(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] != "lifespan"
        await application(scope, receive, send)

    web.site("rules").mount("/", without_a_life)


def test_the_scope_is_as_specified(run: Run) -> None:
    scopes = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({**START, "headers": [[b"X-List", b"yes"]]})
        await send({"type": "http.response.body"})

    web.site("rules").mount("/below", application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask("GET", "/a/rules/below/a%20b%2Fc?q=%20", "X-Two: 1", "x-two: 2", "TE: trailers")
        status, headers = await raw.head()
        assert status == 200
        assert headers["x-list"] == "yes"
        await raw.close()

    run(main)
    server = scopes[-1]["server"]
    names = [name for name, _ in scopes[-1]["headers"]]
    assert names == [b"host", b"authorization", b"x-two", b"x-two", b"te"]
    scope = {name: scopes[-1][name] for name in scopes[-1] if name not in ("headers", "client")}
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a/rules/below/a b/c",
        "raw_path": b"/a/rules/below/a%20b%2Fc",
        "query_string": b"q=%20",
        "root_path": "/a/rules/below",
        "server": server,
        "extensions": {
            "http.response.pathsend": {},
            "http.response.trailers": {},
            "http.response.early_hint": {},
        },
        "state": {},
    }
    assert server[0] == "127.0.0.1"


def test_granian_922_send_after_the_client_has_gone_raises_os_error_and_is_not_logged(
    run: Run,
) -> None:
    raised: list[BaseException] = []
    ended = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(START)
            while True:
                await send(
                    {"type": "http.response.body", "body": bytes(1 << 16), "more_body": True}
                )
        except OSError as error:
            raised.append(error)
            raise
        finally:
            ended.set()

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask("GET", "/a/rules")
        await raw.head()
        await raw.cut()
        await ended.wait()

    run(main)
    assert len(raised) == 1


def test_granian_286_a_disconnect_reaches_who_waits_for_it_and_is_told_again(run: Run) -> None:
    received: list[str] = []
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        received.append((await receive())["type"])
        waiting.set()
        received.extend([(await receive())["type"] for _ in range(3)])
        ended.set()

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask("GET", "/a/rules")
        await waiting.wait()
        await raw.cut()
        await ended.wait()

    run(main)
    assert received == ["http.request", *["http.disconnect"] * 3]


def test_a_disconnect_in_the_middle_of_a_body_is_told(run: Run) -> None:
    received: list[Any] = []
    begun, ended = asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while not received or received[-1]["type"] == "http.request":
            received.append(await receive())
            begun.set()
        ended.set()

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask("POST", "/a/rules", "Content-Length: 100", body=b"half")
        await begun.wait()
        await raw.cut()
        await ended.wait()

    run(main)
    assert received[0] == {"type": "http.request", "body": b"half", "more_body": True}
    assert received[-1] == {"type": "http.disconnect"}


def test_after_the_answer_the_client_counts_as_gone(run: Run) -> None:
    received: list[str] = []
    ended = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send({"type": "http.response.body", "body": b"all"})
        received.append((await receive())["type"])
        ended.set()

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response:
            assert await response.read() == b"all"
        await ended.wait()

    run(main)
    assert received == ["http.disconnect"]


@pytest.mark.parametrize("messages", [[], [START]], ids=["nothing", "a beginning"])
def test_an_application_that_does_not_answer_is_a_500(run: Run, messages: list[Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response:
            assert response.status == 500
            assert (await response.json())["type"] == "no-answer"

    run(main)


@pytest.mark.parametrize("is_error", [False, True])
def test_an_answer_that_is_not_completed_is_cut(run: Run, is_error: bool) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        assert not is_error

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        # Cut before or after its beginning was sent.
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
            async with client.get("/a/rules") as response:
                await response.read()

    run(main, reports=is_error)


def test_a_failure_before_the_body_is_a_500(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        msg = "too late for some servers"
        raise RuntimeError(msg)

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response:
            assert response.status == 500

    run(main, reports=True)


@pytest.mark.parametrize("parts", [[b"long", b"er"], [b"longer"], [b"s"], [b"", b"s"]], ids=str)
def test_a_body_of_another_length_than_promised_does_not_reach_the_client(
    run: Run, parts: list[bytes]
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-length", b"4")]})
        for number, part in enumerate(parts):
            more = number + 1 < len(parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        try:
            async with client.get("/a/rules") as response:
                body = await response.read()
                assert response.status == 500 or body == b"long"
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError):
            assert len(parts) > 1

    run(main, reports=True)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_gets_none(run: Run, status: int) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "status": status})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        await send({"type": "http.response.body", "body": b"more"})

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        for _number in range(2):
            raw.ask("GET", "/a/rules")
            answered, headers = await raw.head()
            assert answered == status
            assert "content-length" not in headers
            assert "transfer-encoding" not in headers
        await raw.close()

    run(main)


def test_head_has_the_headers_of_get_and_no_body(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"4")] if scope["path"].endswith("told") else []
        await send({**START, "headers": headers})
        await send({"type": "http.response.body", "body": b"some"})

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        for path in ["/a/rules/told", "/a/rules"]:
            raw.ask("HEAD", path)
            status, headers = await raw.head()
            assert (status, headers["content-length"]) == (200, "4")
        await raw.close()

    run(main)


def test_the_applications_transfer_encoding_is_ignored(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"transfer-encoding", b"gzip, chunked")]})
        await send({"type": "http.response.body", "body": b"plain"})

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response:
            assert "transfer-encoding" not in response.headers
            assert await response.read() == b"plain"

    run(main)


@pytest.mark.parametrize(
    "header",
    [
        (b"x-split", b"a\r\nset-cookie: b"),
        (b"x-split\r\nset-cookie", b"b"),
        (b"x y", b""),
        (b"", b""),
    ],
    ids=str,
)
def test_a_header_that_would_split_the_answer_is_a_500(
    run: Run, header: tuple[bytes, bytes]
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [header]})
        await send({"type": "http.response.body"})

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response:
            assert response.status == 500
            assert "set-cookie" not in response.headers

    run(main, reports=True)


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.body", "body": b"first"}],
        [START, START],
        [{"type": "http.response.start", "status": 101}],
        [{"type": "websocket.accept"}],
        [{"type": "http.response.trailers"}],
        [START, {"type": "http.response.early_hint", "links": []}],
        [{"type": "http.response.early_hint", "links": [b"</x>\r\nx: y"]}],
        [{}],
    ],
    ids=str,
)
def test_messages_out_of_order_are_refused(run: Run, messages: list[Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response:
            assert response.status == 500

    run(main, reports=True)


def test_pathsend_has_rust_send_the_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 4096)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "status": 203, "headers": [(b"content-type", b"x/y")]})
        await send({"type": "http.response.pathsend", "path": str(file)})

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules", headers={"range": "bytes=0-3"}) as response:
            assert response.status == 203
            assert response.headers["content-type"] == "x/y"
            assert response.headers["content-length"] == str(256 * 4096)
            assert "etag" not in response.headers
            assert await response.read() == file.read_bytes()
        file.unlink()
        async with client.get("/a/rules") as response:
            assert response.status == 500

    run(main)


def test_early_hints_go_out_before_the_answer_is_made(run: Run) -> None:
    hinted = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        links = [b"</style.css>; rel=preload; as=style", b"</a.js>; rel=modulepreload"]
        await send({"type": "http.response.early_hint", "links": links})
        await hinted.wait()
        await send(START)
        await send({"type": "http.response.body", "body": b"body"})

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        for _again in range(2):
            hinted.clear()
            raw.ask("GET", "/a/rules")
            assert await raw.reader.readuntil(b"\r\n\r\n") == (
                b"HTTP/1.1 103 Early Hints\r\n"
                b"link: </style.css>; rel=preload; as=style\r\n"
                b"link: </a.js>; rel=modulepreload\r\n\r\n"
            )
            hinted.set()
            status, headers = await raw.head()
            assert (status, headers["content-length"]) == (200, "4")
            assert await raw.reader.readexactly(4) == b"body"
        await raw.close()

    run(main)


def test_who_speaks_http_1_0_gets_no_hints(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert "http.response.early_hint" not in scope["extensions"]
        await send({"type": "http.response.early_hint", "links": []})

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        raw = await Raw.open()
        head = f"Host: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        raw.writer.write(f"GET /a/rules HTTP/1.0\r\n{head}".encode())
        status, _headers = await raw.head()
        assert status == 500
        await raw.close()

    run(main, reports=True)


def test_trailers_follow_the_body_if_the_client_takes_them(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        takes = "http.response.trailers" in scope["extensions"]
        headers = [(b"trailer", b"x-sum")]
        await send({**START, "headers": headers, "trailers": takes})
        await send({"type": "http.response.body", "body": b"body"})
        if takes:
            await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"4")]})

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask("GET", "/a/rules", "TE: trailers")
        await raw.head()
        assert await raw.reader.readuntil(b"\r\n\r\n") == b"4\r\nbody\r\n0\r\nx-sum: 4\r\n\r\n"
        raw.ask("GET", "/a/rules")
        await raw.head()
        assert await raw.reader.readexactly(4) == b"body"
        await raw.close()

    run(main)


def test_granian_835_accept_after_the_client_has_left_raises_os_error(run: Run) -> None:
    raised: list[BaseException] = []
    asked, left, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        asked.set()
        assert (await receive())["type"] == "websocket.disconnect"
        try:
            await send({"type": "websocket.accept"})
        except OSError as error:
            raised.append(error)
        ended.set()

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask_for_websocket("/a/rules")
        await asked.wait()
        await raw.cut()
        left.set()
        await ended.wait()

    run(main)
    assert len(raised) == 1


def test_granian_318_an_unsolicited_pong_changes_nothing(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask_for_websocket("/a/rules")
        assert (await raw.head())[0] == 101
        raw.frame(0xA, b"nobody asked")
        raw.frame(0x1, b"hello")
        assert await raw.reader.readexactly(7) == b"\x81\x05hello"
        await raw.cut()

    run(main)


def test_granian_798_who_closes_a_websocket_hears_of_its_end(run: Run) -> None:
    received: list[Any] = []
    ended = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 3001, "reason": "enough"})
        received.append(await receive())
        ended.set()

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/rules") as socket:
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert (message.data, message.extra) == (3001, "enough")
        await ended.wait()

    run(main)
    assert received == [{"type": "websocket.disconnect", "code": 1005, "reason": ""}]


@pytest.mark.parametrize(("is_error", "code"), [(False, 1000), (True, 1011)])
def test_a_websocket_is_closed_when_the_application_ends(
    run: Run, is_error: bool, code: int
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert not is_error

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/rules") as socket:
            message = await socket.receive()
            assert message.data == code

    run(main, reports=is_error)


@pytest.mark.parametrize(
    ("messages", "status", "body"),
    [
        ([], 500, None),
        ([{"type": "websocket.close"}], 403, b""),
        (
            [
                {"type": "websocket.http.response.start", "status": 402, "headers": []},
                {"type": "websocket.http.response.body", "body": b"pay"},
            ],
            402,
            b"pay",
        ),
    ],
    ids=["no word", "close", "denial"],
)
def test_a_websocket_can_be_refused(
    run: Run, messages: list[Any], status: int, body: bytes | None
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["extensions"] == {"websocket.http.response": {}}
        await receive()
        for message in messages:
            await send(message)

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask_for_websocket("/a/rules")
        answered, headers = await raw.head()
        assert answered == status
        if body is not None:
            assert await raw.reader.readexactly(int(headers["content-length"])) == body
        await raw.cut()

    run(main)


def test_a_slow_websocket_holds_the_application_up(run: Run) -> None:
    sent = 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "bytes": bytes(1 << 16)})
            sent += 1 << 16

    mount(application)

    async def main(_: aiohttp.ClientSession) -> None:
        raw = await Raw.open()
        raw.ask_for_websocket("/a/rules")
        await raw.head()
        before = -1
        while sent != before:
            before = sent
            for _turn in range(1000):
                await asyncio.sleep(0)
        assert sent < 64 << 20
        await raw.cut()

    run(main)


def test_a_websocket_client_waits_for_an_application_that_does_not_receive(run: Run) -> None:
    go_on = asyncio.Event()
    received = 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal received
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        while (message := await receive())["type"] == "websocket.receive":
            received += len(message["bytes"])

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/rules") as socket:
            sending = asyncio.create_task(flood(socket))
            done, _ = await asyncio.wait([sending], timeout=0.5)
            assert not done
            go_on.set()
            await sending

    async def flood(socket: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(512):
            await socket.send_bytes(bytes(1 << 16))

    run(main)
    assert received == 512 << 16


def test_granian_252_and_575_open_streams_and_sockets_do_not_hold_up_the_stop(run: Run) -> None:
    ended = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        else:
            await send(START)
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
        while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
            pass
        if scope["type"] == "websocket":
            ended.set()

    mount(application)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/rules") as response, client.ws_connect("/a/rules") as socket:
            await response.content.readexactly(4)
            aiobpy.server.stop()
            await ended.wait()
            message = await socket.receive()
            assert message.data == 1001

    run(main)
