"""Who is let in, as what, and what is told of it: over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import aiobpy
import aiobpy.server
from aiobpy import web
from aiobpy.pairing import Applicant
from tests.libraries import guides
from tests.python_server import stand_alone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.conftest import Run

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _nobody_decides() -> Iterator[None]:
    yield
    aiobpy.server.on_pairing(None)


async def problem(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """Return the status and the kind of a problem."""
    return response.status, (await response.json(content_type=None))["type"]


def another(token: str | None = None) -> aiohttp.ClientSession:
    """Return a client that has another token, or none, and keeps cookies of IP addresses."""
    server = aiobpy.server.current()
    assert server is not None
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    jar = aiohttp.CookieJar(unsafe=True)
    return aiohttp.ClientSession(server.address, headers=headers, cookie_jar=jar)


async def paired(scope: str = "read", name: str = "iPad") -> str:
    """Pair a device and return its token."""
    aiobpy.server.on_pairing(lambda _applicant: scope)  # type: ignore[arg-type,return-value]
    _, _, code = aiobpy.server.pair().address.partition("#")
    async with (
        another() as device,
        device.post("/pair/claim", json={"code": code, "name": name}) as response,
    ):
        assert response.status == 201
        return str((await response.json())["token"])


async def echo_application(scope: Any, receive: Any, send: Any) -> None:
    """Answer requests with nothing, and WebSockets with what they send."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def test_mounts_websockets_and_events_are_behind_the_gate_and_the_token(run: Run) -> None:
    web.site("behind").mount("/", echo_application)

    async def main(client: aiohttp.ClientSession) -> None:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        async with another() as stranger:
            for path, headers in [
                ("/a/behind/", {}),
                ("/a/behind/", upgrade),
                ("/api/v1/events", {}),
                ("/api/v1/events", upgrade),
            ]:
                async with stranger.get(path, headers=headers) as response:
                    assert await problem(response) == (401, "missing-token")
                for name, value, wanted in [
                    ("Origin", "http://evil.example", (403, "foreign-origin")),
                    ("Sec-Fetch-Site", "same-site", (403, "foreign-site")),
                    ("Host", "evil.example", (421, "foreign-host")),
                ]:
                    async with client.get(path, headers={**headers, name: value}) as response:
                        assert await problem(response) == wanted

    run(main)


def test_a_device_is_allowed_by_whoever_decides(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        asked: list[Applicant] = []

        async def decide(applicant: Applicant) -> Any:
            asked.append(applicant)
            return None if applicant.name == "stranger" else "read"

        aiobpy.server.on_pairing(decide)
        async with another() as device:
            _, _, code = aiobpy.server.pair().address.partition("#")
            claim = {"code": code, "name": "stranger"}
            async with device.post("/pair/claim", json=claim) as response:
                assert await problem(response) == (403, "pairing-refused")
            async with device.post("/pair/claim", json=claim) as response:
                assert await problem(response) == (410, "code-expired")
            _, _, code = aiobpy.server.pair().address.partition("#")
            claim = {"code": code, "name": "iPad"}
            async with device.post("/pair/claim", json=claim) as response:
                assert response.status == 201
                cookie = response.headers["Set-Cookie"]
                assert "HttpOnly; SameSite=Strict" in cookie
            assert asked == [Applicant("stranger", "127.0.0.1"), Applicant("iPad", "127.0.0.1")]
            async with device.get("/api/v1/me") as response:
                assert (await response.json())["name"] == "iPad"
            async with device.get("/api/v1/devices") as response:
                assert await problem(response) == (403, "not-allowed")
        (known,) = aiobpy.server.devices()
        assert (known.name, known.scope) == ("iPad", "read")

    run(main)


def test_a_device_is_refused_where_nobody_can_be_asked(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        _, _, code = aiobpy.server.pair().address.partition("#")
        async with client.post("/pair/claim", json={"code": code, "name": "iPad"}) as response:
            assert await problem(response) == (403, "pairing-refused")

    run(main)
    assert "aiobpy.server.on_pairing" in caplog.text


def test_a_revoked_device_loses_its_websocket_and_its_events_at_once(run: Run) -> None:
    web.site("revoked").mount("/", echo_application, scope="read")

    async def main(client: aiohttp.ClientSession) -> None:
        async with another(await paired()) as device, device.ws_connect("/a/revoked/") as socket:
            await socket.send_str("there?")
            assert await socket.receive_str() == "there?"
            events = await device.get("/api/v1/events")
            await events.content.readline()
            assert aiobpy.server.revoke(aiobpy.server.devices()[0].id)
            message = await socket.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
            with pytest.raises(aiohttp.ClientPayloadError):
                await events.read()
            async with device.get("/api/v1/status") as response:
                assert await problem(response) == (401, "wrong-token")
        assert aiobpy.server.devices() == []

    run(main)


def test_python_is_run_from_outside_only_when_it_is_allowed(run: Run) -> None:
    web.site("console").mount("/", echo_application, scope="exec")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/console/") as response:
            assert await problem(response) == (403, "exec-is-off")
        aiobpy.server.allow_exec()
        async with client.get("/a/console/") as response:
            assert response.status == 200
        aiobpy.server.allow_exec(False)
        async with client.get("/a/console/") as response:
            assert response.status == 403
        async with another(await paired("files")) as device, device.get("/a/console/") as response:
            assert response.headers["WWW-Authenticate"].endswith('scope="exec"')

    run(main)


def test_a_page_logs_in_with_the_token_and_out_again(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        async with another() as page:
            async with page.post("/login", json={"token": "a-wrong-token-of-mine"}) as response:
                assert await problem(response) == (401, "wrong-token")
            async with page.post("/login", json={"token": server.token}) as response:
                assert response.status == 200
            async with page.get("/api/v1/status") as response:
                assert response.status == 200
            async with page.post("/api/v1/rpc/x", data="{}") as response:
                assert await problem(response) == (403, "form-with-cookie")
            async with page.post("/logout", headers={"X-Aiobpy": "1"}) as response:
                assert response.status == 204
            async with page.get("/api/v1/status") as response:
                assert response.status == 401

    run(main)


def test_another_token_puts_everybody_out_who_came_by_the_one_before(run: Run) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        assert server.discovery_file is not None
        events = await client.get("/api/v1/events")
        await events.content.readline()
        token = aiobpy.server.change_token()
        assert json.loads(server.discovery_file.read_text())["token"] == token == server.token
        with pytest.raises(aiohttp.ClientPayloadError):
            await events.read()
        async with client.get("/api/v1/status") as response:
            assert response.status == 401
        async with another(token) as other, other.get("/api/v1/status") as response:
            assert response.status == 200

    run(main)


def test_the_list_of_devices_is_for_its_owner_alone_and_has_no_token(
    run: Run, tmp_path: Path
) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        token = await paired()
        file = tmp_path / "aiobpy" / "devices.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert token not in file.read_text()

    run(main)


def test_a_handler_goes_on_in_the_trace_of_its_request(run: Run) -> None:
    site = web.site("traced")

    @site.get("/")
    async def trace() -> str | None:
        await asyncio.sleep(0)
        return web.trace.get()

    @aiobpy.rpc(name="traced.trace")
    def trace_of_call() -> str | None:
        return web.trace.get()

    async def main(client: aiohttp.ClientSession) -> None:
        headers = {"traceparent": TRACE}
        for response in [
            await client.get("/a/traced/", headers=headers),
            await client.post("/api/v1/rpc/traced.trace", json={}, headers=headers),
        ]:
            ours = await response.text()
            assert re.search(r"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01", ours)
            assert TRACE not in ours
        assert web.trace.get() is None

    run(main)


def trusting(authority: bytes) -> ssl.SSLContext:
    """Return how a device speaks TLS that trusts an authority and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(authority))
    return context


def test_devices_on_the_network_come_by_tls_that_this_user_vouches_for(
    run: Run, tmp_path: Path
) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        async with client.get("/ca.crt") as response:
            assert await problem(response) == (404, "no-authority")
        (address,) = aiobpy.server.share(addresses=["127.0.0.2"])
        assert address == f"https://127.0.0.2:{server.port}"
        async with client.get("/ca.crt") as response:
            assert response.content_type == "application/x-x509-ca-cert"
            authority = await response.read()
        digest = hashlib.sha256(authority).hexdigest().upper()
        assert server.authority_fingerprint == ":".join(re.findall("..", digest))
        file = tmp_path / "aiobpy" / "authority.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

        aiobpy.server.on_pairing(lambda _applicant: "control")
        pairing, _, code = aiobpy.server.pair().address.partition("#")
        assert pairing == f"{address}/pair"
        connector = aiohttp.TCPConnector(ssl=trusting(authority))
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(address, connector=connector, cookie_jar=jar) as device:
            async with device.get("/api/v1/status") as response:
                assert await problem(response) == (401, "missing-token")
            async with device.post("/pair/claim", json={"code": code, "name": "a"}) as response:
                assert response.status == 201
                cookie = response.headers["Set-Cookie"]
                assert cookie.startswith(f"__Host-aiobpy-{server.port}=")
                assert "; Secure" in cookie
            name = {"Host": f"{socket.gethostname().split('.')[0]}.local:{server.port}"}
            for headers, status in [
                ({}, 200),
                (name, 200),
                ({"Host": f"127.0.0.1:{server.port}"}, 421),
                ({"Host": "evil.example"}, 421),
                ({"Origin": address}, 200),
                ({"Origin": f"http://127.0.0.2:{server.port}"}, 403),
            ]:
                async with device.get("/api/v1/status", headers=headers) as response:
                    assert response.status == status, headers
            events = await device.get("/api/v1/events")
            await events.content.readline()
            aiobpy.server.unshare()
            assert server.shared_at == []
            with pytest.raises(aiohttp.ClientError):
                await events.read()
            with pytest.raises(aiohttp.ClientConnectorError):
                await device.get("/api/v1/status")

    run(main)


def test_a_server_is_not_shared_while_blender_may_not_go_online(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bpy:
        class app:
            online_access = False
            background = False

    async def main(client: aiohttp.ClientSession) -> None:
        monkeypatch.setitem(sys.modules, "bpy", Bpy())
        with pytest.raises(PermissionError, match="Allow Online Access allows it"):
            aiobpy.server.share(addresses=["127.0.0.2"])
        monkeypatch.delitem(sys.modules, "bpy")

    run(main)


def test_a_certificate_of_the_users_own_is_shown(run: Run, tmp_path: Path) -> None:
    async def main(client: aiohttp.ClientSession) -> None:
        missing = str(tmp_path / "missing.pem")
        with pytest.raises(ValueError, match="cannot be read"):
            aiobpy.server.share(tls=(missing, missing), addresses=["127.0.0.2"])
        with pytest.raises(ValueError, match="none of IP"):
            aiobpy.server.share(addresses=["studio.local"])

    run(main)


def test_a_site_says_what_its_pages_load_but_not_who_frames_them(run: Run) -> None:
    site = web.site("loose")

    @site.get("/")
    def page() -> web.Response:
        return web.Response("<p>Hello", content_type="text/html")

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/loose/") as response:
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self'; ")
            assert "frame-ancestors 'none'" in policy
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        site.content_security_policy = "default-src 'self' data:; frame-ancestors *"
        async with client.get("/a/loose/") as response:
            policy = response.headers["Content-Security-Policy"]
            assert policy == "default-src 'self' data:; frame-ancestors 'none'"

    run(main)


def test_the_guide_lets_the_studios_tablets_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_alone(monkeypatch, tmp_path)
    monkeypatch.setenv("ADDRESSES", "127.0.0.2")
    guide: dict[str, Any] = {}
    exec(compile(guides.code("security"), "security.md", "exec", dont_inherit=True), guide)

    async def pair(address: str, name: str) -> int:
        page, _, code = address.partition("#")
        server = aiobpy.server.current()
        assert server is not None
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{server.address}/ca.crt") as response:
                context = trusting(await response.read())
            claim = {"code": code, "name": name}
            async with client.post(f"{page}/claim", json=claim, ssl=context) as response:
                return response.status

    async def main() -> None:
        try:
            assert await pair(await guide["main"](), "studio tablet") == 201
            assert await pair(aiobpy.server.pair().address, "phone") == 403
            assert [device.name for device in guide["throw_out"]("studio tablet")] == [
                "studio tablet"
            ]
            assert aiobpy.server.devices() == []
        finally:
            aiobpy.server.stop()

    aiobpy.run(main())


_LOGS = """
import asyncio, json
import aiohttp
import aiobpy, aiobpy.server

async def main():
    server = aiobpy.server.start()
    aiobpy.server.on_pairing(lambda applicant: "read")
    code = aiobpy.server.pair().address.partition("#")[2]
    secrets = [server.token, code, "wrong-but-secret", "secret-in-a-query"]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(server.address, cookie_jar=jar) as page:
        async with page.post("/pair/claim", json={"code": code, "name": "x"}) as response:
            secrets.append((await response.json())["token"])
        async with page.post("/login", json={"token": server.token}) as response:
            secrets.append(response.cookies[f"aiobpy-{server.port}"].value)
        await page.get("/api/v1/status?token=secret-in-a-query")
        await page.get("/nowhere", headers={"Authorization": "Bearer wrong-but-secret"})
    aiobpy.server.stop()
    print(json.dumps(secrets))

aiobpy.run(main())
"""


def test_no_secret_is_logged_though_everything_is(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "XDG_CONFIG_HOME": str(tmp_path),
        "AIOBPY_LOG": "trace",
        "NO_COLOR": "1",
    }
    environment.pop("AIOBPY_TOKEN", None)
    program = [sys.executable, "-c", _LOGS]
    ran = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    assert 'path="/pair/claim" status=201' in ran.stderr, ran.stderr[-2000:]
    assert 'path="/login" status=200' in ran.stderr
    secrets = json.loads(ran.stdout)
    assert len(secrets) == 6
    for secret in secrets:
        assert secret not in ran.stderr


def test_no_secret_is_told(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []

    async def main(client: aiohttp.ClientSession) -> None:
        server = aiobpy.server.current()
        assert server is not None
        code = aiobpy.server.pair().address.partition("#")[2]
        secrets.extend([server.token, code, await paired()])
        async with another() as page:
            async with page.post("/login", json={"token": server.token}) as response:
                secrets.append(response.cookies[f"aiobpy-{server.port}"].value)
            async with page.get("/api/v1/status?token=wrong-and-secret") as response:
                assert response.status == 200
        async with another("wrong-but-secret") as page, page.get("/api/v1/status") as response:
            assert response.status == 401
        told = [*aiobpy.server.requests(), *aiobpy.server.audit()]
        assert {asked.path for asked in told} >= {"/login", "/api/v1/status", "/pair/claim"}
        secrets.extend(["wrong-and-secret", "wrong-but-secret"])
        output = capfd.readouterr()
        for secret in secrets:
            for text in (output.out, output.err, caplog.text, repr(told), repr(server)):
                assert secret not in text

    run(main)
