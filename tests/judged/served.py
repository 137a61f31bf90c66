"""What is judged: a site with an application, functions, a socket and a folder."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from aiobpy import web

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 1 << 20
"""Bytes of the large file."""


def hang_up(folder: Path) -> None:
    """Have the site served; its files are made in the folder."""
    site = web.site("judged")
    site.mount("/echo", echo)
    site.static("/files", _files(folder))

    @site.get("/hello")
    def hello() -> dict[str, str]:
        """Say hello."""
        return {"hello": "world"}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send back each message of a WebSocket."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def _files(folder: Path) -> Path:
    page = b"<!doctype html><title>judged</title><p>" + b"hello " * 200
    (folder / "index.html").write_bytes(page)
    (folder / "index.html.gz").write_bytes(gzip.compress(page))
    (folder / "large.bin").write_bytes(bytes(range(256)) * (LARGE // 256))
    (folder / "data.json").write_text(json.dumps(list(range(500))))
    return folder
