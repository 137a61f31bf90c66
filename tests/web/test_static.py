"""Folders that a site serves."""

from __future__ import annotations

import gzip
import os
import socket
from typing import TYPE_CHECKING

import pytest

from aiobpy import web

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from tests.web.conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a page, a script with a compressed neighbour, and a large file."""
    folder = tmp_path / "ui"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("<title>page</title>")
    (folder / "app.js").write_text("run()")
    (folder / "app.js.gz").write_bytes(gzip.compress(b"run()"))
    (folder / "deep" / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    (folder / ".env").write_text("secret")
    (tmp_path / "outside").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    return folder


def test_files_are_served_with_their_types(run: Run, folder: Path) -> None:
    web.site("ui").static("/ui", folder)

    async def main(client: aiohttp.ClientSession) -> None:
        async with client.get("/a/ui/ui") as response:
            assert str(response.url).endswith("/a/ui/ui/")
            assert await response.text() == "<title>page</title>"
            assert response.headers["content-type"] == "text/html; charset=utf-8"
        async with client.get("/a/ui/ui/app.js") as response:
            assert await response.text() == "run()"
            assert response.headers["content-encoding"] == "gzip"
            assert response.headers["vary"] == "accept-encoding"
        async with client.get("/a/ui/ui/deep/large.bin") as response:
            assert await response.read() == bytes(range(256)) * 20_000
        for path in ["absent", ".env", "link", "deep"]:
            async with client.get(f"/a/ui/ui/{path}/") as response:
                assert response.status == 404

    run(main)


def test_parts_and_states_of_a_file_can_be_asked_for(run: Run, folder: Path) -> None:
    web.site("ui").static("/", folder)

    async def main(client: aiohttp.ClientSession) -> None:
        address = "/a/ui/deep/large.bin"
        async with client.get(address, headers={"range": "bytes=-3"}) as response:
            assert (response.status, await response.read()) == (206, b"\xfd\xfe\xff")
            tag = response.headers["etag"]
        async with client.get(address, headers={"if-none-match": tag}) as response:
            assert response.status == 304
        async with client.head(address) as response:
            assert (response.status, response.headers["content-length"]) == (200, "5120000")
        async with client.post(address) as response:
            assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")
        os.utime(folder / "deep" / "large.bin", (0, 0))
        async with client.get(address, headers={"if-none-match": tag}) as response:
            assert response.status == 200

    run(main)


def test_a_single_page_answers_for_its_own_addresses(run: Run, folder: Path) -> None:
    web.site("ui").static("/", folder, spa=True)

    async def main(client: aiohttp.ClientSession) -> None:
        for path in ["/a/ui", "/a/ui/objects/Cube", "/a/ui/deep/"]:
            async with client.get(path) as response:
                assert await response.text() == "<title>page</title>", path
        async with client.get("/a/ui/absent.js") as response:
            assert response.status == 404

    run(main)


def test_a_path_as_it_is_typed_leads_nowhere_else(run: Run, folder: Path) -> None:
    web.site("ui").static("/ui", folder)

    async def main(client: aiohttp.ClientSession) -> None:
        base = client._base_url
        assert base is not None
        for path in ["../outside", "%2e%2e/outside", "%2e%2e%2foutside", "..%5coutside", "%00"]:
            # As no library would send it.
            with socket.create_connection((base.host, base.port)) as connection:
                request = (
                    f"GET /a/ui/ui/{path} HTTP/1.1\r\nHost: {base.host}:{base.port}\r\n"
                    f"Authorization: {client.headers['Authorization']}\r\nConnection: close\r\n\r\n"
                )
                connection.sendall(request.encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 404"), path
            assert b"secret" not in answer

    run(main)


def test_what_is_no_folder_is_refused(folder: Path) -> None:
    with pytest.raises(NotADirectoryError, match="no folder"):
        web.site("ui").static("/", folder / "index.html")
