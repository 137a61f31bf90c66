"""HTTPS and HTTP/2 of a real nginx, and a real forward proxy."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from tests.libraries.server import Server, free_port
from tests.transfer.origin import content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transfer.conftest import Origin, Run

MIB = 1 << 20

NGINX = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log;
    log_format short '$server_protocol $status $request_uri';
    access_log {folder}/access.log short;
    {temporary}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        root {folder}/www;
        location /down {{ return 302 {downgraded}; }}
        location /put/ {{ dav_methods PUT; client_max_body_size 0; }}
    }}
}}
"""


class Site:
    """An nginx that speaks TLS with a certificate of our own authority."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.address = f"https://localhost:{port}"
        self.cafile = folder / "ca.pem"

    def file(self, name: str, data: bytes) -> str:
        """Return the address of a new file."""
        (self.folder / "www" / name).write_bytes(data)
        return f"{self.address}/{name}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "www" / "put").mkdir(parents=True)
    make_certificates(folder)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    downgraded = origin.file(text="anybody can read this")
    port = free_port()
    (folder / "nginx.conf").write_text(
        NGINX.format(
            user=getpass.getuser(),
            folder=folder,
            port=port,
            temporary=temporary,
            downgraded=downgraded,
        )
    )
    server = Server(["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-e", "stderr"], folder)
    try:
        server.wait_until_it_says("start worker processes")
        yield Site(folder, port)
    finally:
        server.end()


def make_certificates(folder: Path) -> None:
    """Make an authority, and a server's certificate by it."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE")
    openssl(
        "req",
        "-x509",
        *key,
        *authority,
        "-subj",
        "/CN=studio",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    openssl(
        "req", *key[:-2], "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"
    )
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    openssl("x509", "-req", "-in", "server.csr", *signed, "-days", "2", "-out", "server.pem")


def test_a_file_comes_over_http2(run: Run[Any], site: Site, tmp_path: Path) -> None:
    data = content(20 * MIB)
    url = site.file("large", data)
    wanted = hashlib.sha256(data).hexdigest()
    got = run(aiobpy.download(url, tmp_path / "file", cafile=site.cafile, sha256=wanted))
    assert got.http_version == "HTTP/2"
    assert (tmp_path / "file").read_bytes() == data


def test_a_part_is_gone_on_with_over_http2(run: Run[Any], site: Site, tmp_path: Path) -> None:
    data = content(4 * MIB, seed=3)
    url = site.file("resumed", data)
    path = tmp_path / "file"
    run(aiobpy.download(url, path, cafile=site.cafile))
    etag = run(aiobpy.fetch(url, method="HEAD", cafile=site.cafile)).headers["etag"]
    path.unlink()
    Path(f"{path}.part").write_bytes(data[:MIB])
    source = hashlib.sha256(url.encode()).hexdigest()
    note = {"source": source, "etag": etag, "total": 4 * MIB}
    Path(f"{path}.part.json").write_text(json.dumps(note))
    got = run(aiobpy.download(url, path, cafile=site.cafile))
    assert (got.resumed_from, got.http_version) == (MIB, "HTTP/2")
    assert path.read_bytes() == data


def test_a_file_goes_up_over_http2(run: Run[Any], site: Site, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content(5 * MIB))
    got = run(aiobpy.upload(f"{site.address}/put/{tmp_path.name}", file, cafile=site.cafile))
    assert (got.status, got.http_version) == (201, "HTTP/2")
    assert (site.folder / "www" / "put" / tmp_path.name).read_bytes() == content(5 * MIB)


def test_a_stranger_is_not_trusted(run: Run[Any], site: Site) -> None:
    with pytest.raises(aiobpy.TransferError, match=r"invalid peer certificate.*cafile="):
        run(aiobpy.fetch(f"{site.address}/"))


def test_a_certificate_of_another_name_is_not_trusted(
    run: Run[Any], site: Site, tmp_path: Path
) -> None:
    url = site.file("other", b"x").replace("localhost", "127.0.0.2")
    with pytest.raises(aiobpy.TransferError, match=r"Connection refused|invalid peer certificate"):
        run(aiobpy.fetch(url, cafile=site.cafile))


def test_a_file_without_certificates_is_refused(run: Run[Any], site: Site, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ValueError, match="holds no certificates in PEM format"):
        run(aiobpy.fetch(site.address, cafile=tmp_path / "none.pem"))
    with pytest.raises(FileNotFoundError):
        run(aiobpy.fetch(site.address, cafile=tmp_path / "nowhere.pem"))


def test_https_is_not_left_unless_that_is_allowed(run: Run[Any], site: Site) -> None:
    with pytest.raises(aiobpy.TransferError, match="from https to http, where anybody can read"):
        run(aiobpy.fetch(f"{site.address}/down", cafile=site.cafile))
    allowed = run(aiobpy.fetch(f"{site.address}/down", cafile=site.cafile, allow_downgrade=True))
    assert allowed.text() == "anybody can read this"


class Proxy:
    """A tinyproxy that wants a password."""

    def __init__(self, port: int, log: Path) -> None:
        self.address = f"http://ada:lovelace@127.0.0.1:{port}"
        self.refused = f"http://ada:s3cret@127.0.0.1:{port}"
        self._log = log

    def asked(self) -> list[str]:
        """Return the requests that went through it."""
        return re.findall(r"Request \(file descriptor \d+\): (\S+ \S+)", self._log.read_text())


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("tinyproxy")
    with tinyproxy(folder) as port:
        yield Proxy(port, folder / "log")


@contextmanager
def tinyproxy(folder: Path) -> Iterator[int]:
    port = free_port()
    (folder / "conf").write_text(
        f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth ada lovelace\n"
        f"LogFile \"{folder}/log\"\nLogLevel Info\nTimeout 60\nMaxClients 20\n"
    )
    (folder / "log").touch()
    server = Server(["tail", "-n+1", "-F", folder / "log"], folder)
    proxy = Server(["/usr/bin/tinyproxy", "-d", "-c", folder / "conf"], folder)
    try:
        server.wait_until_it_says("Starting main loop")
        yield port
    finally:
        proxy.end()
        server.end()


def test_plain_requests_go_through_the_proxy_of_the_environment(
    run: Run[Any], origin: Origin, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = origin.file(size=2 * MIB, drops=[MIB])
    monkeypatch.setenv("http_proxy", proxy.address)
    run(aiobpy.download(url, tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == content(2 * MIB)
    assert f"GET {url}" in proxy.asked()
    assert "proxy-authorization" not in origin.asked(url)[0]["headers"]


def test_tls_goes_through_the_proxy_in_a_tunnel(
    run: Run[Any], site: Site, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.file("tunnelled", content(MIB))
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)
    got = run(aiobpy.download(url, tmp_path / "file", cafile=site.cafile))
    assert got.http_version == "HTTP/2"
    assert f"CONNECT {site.address.removeprefix('https://')}" in proxy.asked()


def test_no_proxy_is_honoured(
    run: Run[Any], origin: Origin, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = origin.file(text="here")
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{closed_port}")
    with pytest.raises(aiobpy.TransferError, match="Connection refused"):
        run(aiobpy.fetch(url))
    monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
    assert run(aiobpy.fetch(url)).text() == "here"


def test_a_proxy_that_refuses_is_named_without_its_password(
    run: Run[Any], site: Site, origin: Origin, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", proxy.refused)
    monkeypatch.setenv("http_proxy", proxy.refused)
    with pytest.raises(aiobpy.TransferError) as caught:
        run(aiobpy.fetch(site.address, cafile=site.cafile))
    assert "s3cret" not in repr(caught.value)
    with pytest.raises(aiobpy.HttpError) as refused:
        run(aiobpy.fetch(origin.address))
    assert refused.value.status in (401, 407)
    monkeypatch.setenv("http_proxy", "http://ada:s3cret@:x")
    with pytest.raises(ValueError, match="http_proxy in the environment is no address") as wrong:
        run(aiobpy.fetch(origin.address))
    assert "s3cret" not in repr(wrong.value)
