"""What WebSockets promise to handlers, and the other ways to the server."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import aiobpy
import aiobpy.server
from aiobpy import web
from tests.judged import certificates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Run


def socket_site(handler: Any) -> None:
    """Hang up a WebSocket that is accepted before its handler runs."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await handler(receive, send)

    web.site("socket").mount("/", application)


def test_a_client_is_told_that_the_handler_failed(run: Run) -> None:
    async def fail(receive: Any, send: Any) -> None:
        await send({"type": "websocket.send", "text": "first"})
        msg = "on purpose"
        raise RuntimeError(msg)

    socket_site(fail)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/socket") as socket:
            assert await socket.receive_str() == "first"
            assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1011

    run(main, reports=True)


def test_pings_are_answered_though_the_handler_does_not_receive(run: Run) -> None:
    done = asyncio.Event()

    async def wait(receive: Any, send: Any) -> None:
        await done.wait()
        assert (await receive())["text"] == "said before"
        await send({"type": "websocket.send", "text": "heard"})

    socket_site(wait)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/socket", autoping=False) as socket:
            await socket.send_str("said before")
            await socket.ping(b"there?")
            answer = await socket.receive()
            assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
            done.set()
            assert await socket.receive_str() == "heard"

    run(main)


def test_a_handler_is_told_what_ended_its_socket(run: Run) -> None:
    ends: list[tuple[int, str]] = []
    ended = asyncio.Event()

    async def listen(receive: Any, send: Any) -> None:
        message = await receive()
        ends.append((message["code"], message["reason"]))
        ended.set()

    socket_site(listen)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/a/socket") as socket:
            # A reserved bit, which nobody has agreed on.
            await socket._writer.send_frame(b"", 0x70 | 0x1)
            assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1002
        await ended.wait()
        assert ends == [(1002, "that is not the WebSocket protocol")]

    run(main)


def test_the_echo_route_needs_no_handler(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect("/api/v1/echo") as socket:
            for number in range(100):
                await socket.send_str(f"message {number}")
            for number in range(100):
                assert await socket.receive_str() == f"message {number}"

    run(main)


def test_the_server_answers_on_a_unix_socket(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        listener = server.open_local(path)
        assert listener.address is None
        assert path.stat().st_mode & 0o777 == 0o600
        connector = aiohttp.UnixConnector(str(path))
        headers = {"Authorization": f"Bearer {server.token}"}
        async with (
            aiohttp.ClientSession("http://localhost", connector=connector) as local,
            local.get("/api/v1/status", headers=headers) as response,
        ):
            assert response.status == 200
        listener.close()

    run(main)


def test_a_server_may_listen_at_a_path_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "socket"
    loop = aiobpy.EventLoop()
    try:
        server = aiobpy.server.start(unix_socket=path, connections=20_000, loop=loop)
        assert path.is_socket()
        aiobpy.server.stop()
        assert not path.exists()
        path.write_text("in the way")
        with pytest.raises(OSError, match="cannot listen"):
            aiobpy.server.start(unix_socket=path, loop=loop)
        assert aiobpy.server.current() is None
        assert server.connections == 0
        with pytest.raises(ValueError, match="connections"):
            aiobpy.server.start(connections=0, loop=loop)
    finally:
        loop.close()


def test_an_application_is_told_what_tls_has_agreed_on(run: Run, tmp_path: Path) -> None:
    chain, key = certificates.make(tmp_path)
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    web.site("tls").mount("/", application)

    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        address = server.open_secure("127.0.0.1", 0, chain, key).address
        assert address is not None
        context = ssl.create_default_context(cafile=str(tmp_path / "server-ca.pem"))
        headers = {"Authorization": f"Bearer {server.token}"}
        url = f"https://{address[0]}:{address[1]}/a/tls"
        async with client.get(url, ssl=context, headers=headers) as response:
            assert response.status == 204
        (scope,) = [scope for scope in seen if scope["type"] == "http"]
        assert (scope["scheme"], scope["server"]) == ("https", address)
        tls = scope["extensions"]["tls"]
        assert ssl.PEM_cert_to_DER_cert(tls["server_cert"]) == ssl.PEM_cert_to_DER_cert(
            (tmp_path / "server.pem").read_text()
        )
        assert tls["tls_version"] == 0x0304
        assert tls["cipher_suite"] in {0x1301, 0x1302, 0x1303}

    run(main)


def test_the_server_speaks_tls_with_a_certificate_of_ones_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    first = certificates.make(tmp_path / "tls", "first")
    second = certificates.make(tmp_path / "tls", "second")

    async def common_name(address: tuple[str, int], authority: Path) -> str:
        context = ssl.create_default_context(cafile=str(authority))
        _, writer = await asyncio.open_connection(*address, ssl=context)
        subject = writer.get_extra_info("peercert")["subject"]
        writer.close()
        return str(dict(pair[0] for pair in subject)["commonName"])

    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        listener = server.open_secure("127.0.0.1", 0, *first)
        address = listener.address
        assert address is not None
        assert await common_name(address, tmp_path / "tls/first-ca.pem") == "first"
        listener.replace_certificate(*second)
        assert await common_name(address, tmp_path / "tls/second-ca.pem") == "second"
        with pytest.raises(ssl.SSLError):
            await common_name(address, tmp_path / "tls/first-ca.pem")
        with pytest.raises(ValueError, match="certificate"):
            listener.replace_certificate(first[0], second[1])
        with pytest.raises(OSError, match="in use"):
            server.open_secure(*address, *first)
        with pytest.raises(ValueError, match="share"):
            server.open_secure("0.0.0.0", 0, *first)
        listener.close()

    run(main)
