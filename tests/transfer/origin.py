"""A web server that does what it is told, good or bad: `python -m tests.transfer.origin`.

It prints its port. A test tells it with `PUT /_/NAME` what `/NAME` is to do from now on, and asks
with `GET /_/NAME` what `/NAME` has been asked.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import signal
from dataclasses import dataclass, field, fields
from email.utils import formatdate
from typing import Any

from aiohttp import BodyPartReader, web

ADDED = "Mon, 02 Mar 2026 10:00:00 GMT"


@dataclass
class Behaviour:
    """What a path does."""

    size: int = 0
    seed: int = 0
    """Of the bytes: see `content`."""
    etag: str | None = '"v1"'
    modified: str | None = ADDED
    ranges: bool = True
    """Whether it knows `Range`."""
    lies: str = ""
    """How it answers a range wrongly: `shifted`, `another`, `unsatisfiable`, `encoded`."""
    chunked: bool = False
    """Without a length."""
    encoding: str = ""
    drops: list[int] = field(default_factory=list)
    """The first answers end after so many bytes of their body, and the connection with them."""
    stalls: list[int] = field(default_factory=list)
    """The first answers send no more after so many bytes, and leave the connection open."""
    statuses: list[int] = field(default_factory=list)
    """Of the first answers."""
    retry_after: str | None = None
    location: str | None = None
    """Where it redirects to, by `status`."""
    status: int = 200
    text: str | None = None
    """The body of an answer that is no file."""
    content_type: str = "application/octet-stream"
    asked: list[dict[str, Any]] = field(default_factory=list)


BEHAVIOURS: dict[str, Behaviour] = {}


def content(size: int, seed: int = 0) -> bytes:
    """So many bytes that are not alike at any two places."""
    return random.Random(seed).randbytes(size)


async def tell(request: web.Request) -> web.Response:
    """Note what a path is to do."""
    known = {each.name for each in fields(Behaviour)}
    said = await request.json()
    assert set(said) <= known, set(said) - known
    name = request.match_info["name"]
    asked = BEHAVIOURS[name].asked if name in BEHAVIOURS else []
    BEHAVIOURS[name] = Behaviour(**said, asked=asked)
    return web.Response()


async def report(request: web.Request) -> web.Response:
    """Say what a path has been asked."""
    return web.json_response(BEHAVIOURS[request.match_info["name"]].asked)


async def behave(request: web.Request) -> web.StreamResponse:
    """Do what the path is to do."""
    behaviour = BEHAVIOURS.get(request.match_info["name"])
    if behaviour is None:
        return web.Response(status=404, text="nobody has said what this is to do")
    body = hashlib.sha256()
    size = 0
    async for piece in request.content.iter_any():
        body.update(piece)
        size += len(piece)
    behaviour.asked.append(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body_size": size,
            "body_sha256": body.hexdigest(),
        }
    )
    if behaviour.statuses:
        headers = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
        return web.Response(status=behaviour.statuses.pop(0), headers=headers, text="not now")
    if behaviour.location is not None:
        return web.Response(status=behaviour.status, headers={"Location": behaviour.location})
    if behaviour.text is not None:
        return web.Response(
            status=behaviour.status, text=behaviour.text, content_type=behaviour.content_type
        )
    return await send_file(request, behaviour)


async def send_file(request: web.Request, behaviour: Behaviour) -> web.StreamResponse:
    """Send the bytes, or those of them that are asked for."""
    data = content(behaviour.size, behaviour.seed)
    status, start = 200, 0
    response = web.StreamResponse()
    if behaviour.ranges and (asked := request.headers.get("Range")) and still(request, behaviour):
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(data) or behaviour.lies == "unsatisfiable":
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        if behaviour.lies == "shifted":
            start -= 1
        status = 206
        response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if behaviour.lies == "encoded":
            response.headers["Content-Encoding"] = "gzip"
    response.set_status(status)
    response.content_type = behaviour.content_type
    if behaviour.etag:
        response.headers["ETag"] = '"v2"' if behaviour.lies == "another" else behaviour.etag
    if behaviour.modified:
        response.headers["Last-Modified"] = behaviour.modified
    response.headers["Date"] = formatdate(usegmt=True)
    data = data[start:]
    if behaviour.encoding and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.headers["Content-Encoding"] = behaviour.encoding
        data = gzip.compress(data)
    if behaviour.chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(data)
    await response.prepare(request)
    if behaviour.drops:
        await response.write(data[: behaviour.drops.pop(0)])
        assert request.transport is not None
        request.transport.close()
        return response
    if behaviour.stalls:
        await response.write(data[: behaviour.stalls.pop(0)])
        # Until the client leaves.
        await asyncio.get_running_loop().create_future()
    await response.write(data)
    await response.write_eof()
    return response


def still(request: web.Request, behaviour: Behaviour) -> bool:
    """Whether the validator that the client has is ours, if it has one."""
    wanted = request.headers.get("If-Range")
    return wanted is None or wanted in (behaviour.etag, behaviour.modified)


async def take_form(request: web.Request) -> web.Response:
    """Say what a form holds."""
    taken: dict[str, Any] = {"content_type": request.content_type}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        assert part.name is not None
        data = await part.read()
        if part.filename is None:
            taken[part.name] = data.decode()
        else:
            taken[part.name] = {
                "file_name": part.filename,
                "content_type": part.headers["Content-Type"],
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
            }
    return web.json_response(taken)


async def refuse_early(request: web.Request) -> web.Response:
    """Answer before the body has come, and take no more of it."""
    request.protocol.force_close()
    return web.Response(status=413, text="too much")


async def main() -> None:
    """Serve until told to end."""
    app = web.Application()
    app.router.add_put("/_/{name}", tell)
    app.router.add_get("/_/{name}", report)
    app.router.add_post("/form", take_form)
    app.router.add_put("/refuse-early", refuse_early)
    app.router.add_route("*", "/{name:.*}", behave)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
