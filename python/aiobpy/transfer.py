"""Downloads, uploads, requests and file work that need no Python per byte.

A Rust thread does the network and its helpers do the disk; the main thread hears of progress now
and then, and of the end. So a transfer goes on while Blender is busy, and costs it nothing.

All of these run on `aiobpy.EventLoop`. Cancelling the task stops a transfer in good order: when
the `CancelledError` comes out, its files are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json as json_module
import mimetypes
import os
import secrets
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from aiobpy import online
from aiobpy.loop import EventLoop
from aiobpy.transferred import (
    ChecksumError,
    Download,
    Headers,
    HttpError,
    Progress,
    Response,
    TransferError,
    TransferTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy import _native

    OnProgress: TypeAlias = Callable[["Progress"], object]

Pairs: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""Names with values, in order."""

TIMEOUT = 30.0
"""Seconds in which nothing happens, after which a transfer gives up, unless told otherwise."""
CONNECT_TIMEOUT = 10.0
"""Seconds to connect in, unless told otherwise."""
ANSWER_LIMIT = 16 << 20
"""Bytes that an answer in memory may have, unless told otherwise."""


async def download(
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    resume: bool = True,
    on_progress: OnProgress | None = None,
    mirrors: Iterable[str] = (),
    headers: Pairs | None = None,
    compressed: bool = False,
    retries: int = 4,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - of silence, not of the whole
    connect_timeout: float = CONNECT_TIMEOUT,
    cafile: str | os.PathLike[str] | None = None,
    allow_downgrade: bool = False,
) -> Download:
    """Download a file over HTTP/1.1 or HTTP/2.

    What comes is written to `<path>.part`; when all of it is there, checked and on the disk, it
    takes its place. A download that fails or is cancelled leaves its part, and the next one to the
    same path goes on from there if the server still has the same file (by its ETag or
    Last-Modified date, or checked by `sha256`). Proxies are those of the environment
    (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).

    Args:
        url: Where it is, with `http://` or `https://`. Redirects are followed.
        path: Where to put it. A file that is there is replaced.
        sha256: What it has to be, in hexadecimal digits. Checked before it takes its place.
        resume: Whether to go on with a part, and to leave one.
        on_progress: Called with a `Progress` in the loop, 20 times a second at most, and at the
            end.
        mirrors: Other addresses of the same file, tried in order when `url` fails.
        headers: Sent to the server of `url`. Other servers, by redirect or as mirrors, see only
            those that hold no secret (such as `User-Agent` and `Accept`).
        compressed: Whether the server may compress it on the way. Such a download has no known
            length and cannot be resumed.
        retries: How often in a row an address may fail in a passing way (no connection, a dropped
            one, a server that is overloaded) without having got any further. The pauses in between
            double.
        timeout: Seconds in which nothing happens, after which that counts as failed.
        connect_timeout: Seconds to connect in.
        cafile: Certificates in PEM format to trust besides the system's.
        allow_downgrade: Whether a redirect may lead from https to http.

    Raises:
        HttpError: The server has answered with a status of 400 or more.
        ChecksumError: The file is not the one that `sha256` says.
        TransferTimeout: Nothing has happened for too long.
        TransferError: No connection, or another program is downloading to this path.
        OfflineError: It is on another machine, and Blender may not go online.
        OSError: The file cannot be written: as `PermissionError`, or when the disk is full.
        ValueError: An argument is wrong.
        RuntimeError: Another kind of loop is running.
    """
    urls = [url, *mirrors]
    _admit(*urls)
    order: _native.DownloadOrder = {
        "urls": urls,
        "path": _absolute(path),
        "sha256": sha256,
        "resume": resume,
        "compressed": compressed,
        "retries": retries,
        "manners": _manners(headers, timeout, connect_timeout, cafile, allow_downgrade),
    }
    return Download(*await _ended(_loop("download")._download(order, _teller(on_progress))))


async def upload(
    url: str,
    file: str | os.PathLike[str],
    *,
    method: str | None = None,
    fields: Pairs | None = None,
    file_field: str = "file",
    file_name: str | None = None,
    content_type: str | None = None,
    on_progress: OnProgress | None = None,
    headers: Pairs | None = None,
    limit: int = ANSWER_LIMIT,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - of silence, not of the whole
    connect_timeout: float = CONNECT_TIMEOUT,
    cafile: str | os.PathLike[str] | None = None,
    allow_downgrade: bool = False,
) -> Response:
    """Upload a file, read from the disk as the network takes it.

    Args:
        url: Where to.
        file: What to send. It must not become shorter meanwhile.
        method: `PUT` if not given, or `POST` with `fields`.
        fields: Sent before the file as the fields of a form (`multipart/form-data`), as browsers
            do; an empty mapping is a form with nothing but the file. Without them, the file is the
            whole body.
        file_field: The name of the file's own field, in a form.
        file_name: What the form calls the file, if not as it is called here.
        content_type: Of the file; guessed from its name if not given.
        on_progress: As for `download`; counts the file's bytes.
        headers: As for `download`.
        limit: The most bytes that the answer may have.
        timeout: As for `download`.
        connect_timeout: As for `download`.
        cafile: As for `download`.
        allow_downgrade: As for `download`.

    Raises:
        HttpError: The server has answered with a status that is no success.
        TransferTimeout: Nothing has happened for too long.
        TransferError: No connection, a dropped one, or an answer that is too large.
        OfflineError: As for `download`.
        OSError: The file cannot be read.
        ValueError: An argument is wrong.
        RuntimeError: Another kind of loop is running.
    """
    _admit(url)
    name = os.path.basename(file)
    guessed = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    form: _native.Form | None = None
    if fields is not None:
        form = {
            "fields": _pairs(fields),
            "file_field": file_field,
            "file_name": file_name or name,
            "boundary": f"aiobpy-{secrets.token_hex(16)}",
        }
    order: _native.UploadOrder = {
        "url": url,
        "file": _absolute(file),
        "method": method or ("PUT" if form is None else "POST"),
        "content_type": guessed,
        "form": form,
        "limit": limit,
        "manners": _manners(headers, timeout, connect_timeout, cafile, allow_downgrade),
    }
    return _response(await _ended(_loop("upload")._upload(order, _teller(on_progress))))


_NOTHING: Any = object()


async def fetch(
    url: str,
    *,
    method: str | None = None,
    json: Any = _NOTHING,
    body: bytes | str | None = None,
    headers: Pairs | None = None,
    check: bool = True,
    limit: int = ANSWER_LIMIT,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - of silence, not of the whole
    connect_timeout: float = CONNECT_TIMEOUT,
    cafile: str | os.PathLike[str] | None = None,
    allow_downgrade: bool = False,
) -> Response:
    """Send a request and return the whole answer: `(await aiobpy.fetch(url)).json()`.

    Args:
        url: Whom to ask.
        method: `GET` if not given, or `POST` with `json` or `body`.
        json: A value to send as JSON.
        body: What to send as it is; text in UTF-8.
        headers: As for `download`.
        check: Whether a status of 300 or more is an `HttpError`.
        limit: The most bytes that the answer may have. What is large belongs into a file: see
            `download`.
        timeout: As for `download`.
        connect_timeout: As for `download`.
        cafile: As for `download`.
        allow_downgrade: As for `download`.

    Raises:
        HttpError: The server has answered with a status that is no success.
        TransferTimeout: Nothing has happened for too long.
        TransferError: No connection, a dropped one, or an answer that is too large.
        OfflineError: As for `download`.
        ValueError: An argument is wrong.
        RuntimeError: Another kind of loop is running.
    """
    _admit(url)
    content, content_type = _content(json, body)
    order: _native.FetchOrder = {
        "url": url,
        "method": method or ("GET" if content is None else "POST"),
        "body": content,
        "content_type": content_type,
        "limit": limit,
        "check": check,
        "manners": _manners(headers, timeout, connect_timeout, cafile, allow_downgrade),
    }
    return _response(await _ended(_loop("fetch")._fetch(order)))


async def hash_file(
    path: str | os.PathLike[str],
    algorithm: str = "sha256",
    *,
    on_progress: OnProgress | None = None,
) -> str:
    """Return a file's digest in hexadecimal digits, computed off the main thread.

    Args:
        path: The file.
        algorithm: `sha256`, `sha384`, `sha512`, `sha1` or `blake3`.
        on_progress: As for `download`.

    Raises:
        OSError: The file cannot be read.
        ValueError: There is no such algorithm.
        RuntimeError: Another kind of loop is running.
    """
    loop = _loop("hash_file")
    digest: str = await _ended(loop._hash_file(os.fspath(path), algorithm, _teller(on_progress)))
    return digest


async def read_file(path: str | os.PathLike[str], *, limit: int | None = None) -> bytes:
    """Return what a file holds, read off the main thread.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        OSError: The file cannot be read.
        TransferError: It is larger than the limit.
        RuntimeError: Another kind of loop is running.
    """
    content: bytes = await _ended(_loop("read_file")._read_file(os.fspath(path), limit))
    return content


def _admit(*urls: str) -> None:
    """Let a request of this module pass, unless it leaves the machine and Blender may not."""
    for url in urls:
        with contextlib.suppress(ValueError):  # Rust says what is wrong with it.
            online.check(urllib.parse.urlsplit(url).hostname)


async def _ended(transfer: _native.Transfer) -> Any:
    """Wait for a transfer's end; if the task is cancelled, until it has stopped in good order."""
    future = transfer.future
    try:
        await asyncio.wait([future])
    except asyncio.CancelledError:
        transfer.cancel()
        await asyncio.wait([future])
        # Whatever it was, nobody asks any more.
        _ = future.cancelled() or future.exception()
        raise
    return future.result()


def _absolute(path: str | os.PathLike[str]) -> str:
    """Return where a path leads from here, though the folder may change; links stay as they are."""
    return os.path.abspath(path)


def _loop(name: str) -> EventLoop:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, EventLoop):
        msg = f"aiobpy.{name} needs aiobpy.EventLoop, and the loop that runs is {loop!r}"
        raise RuntimeError(msg)
    return loop


def _teller(on_progress: OnProgress | None) -> Callable[[int, int | None], object] | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress(Progress(done, total))


def _manners(
    headers: Pairs | None,
    timeout: float,
    connect_timeout: float,
    cafile: str | os.PathLike[str] | None,
    allow_downgrade: bool,
) -> _native.Manners:
    allow_leaving = online.is_allowed()
    return {
        "headers": _pairs(headers or ()),
        "timeout": timeout,
        "connect_timeout": connect_timeout,
        "cafile": None if cafile is None else _absolute(cafile),
        "allow_downgrade": allow_downgrade,
        "allow_leaving": allow_leaving,
        "proxies": _proxies(allow_leaving),
    }


def _pairs(pairs: Pairs) -> list[tuple[str, str]]:
    return list(pairs.items() if isinstance(pairs, Mapping) else pairs)


def _proxies(allow_leaving: bool) -> tuple[str | None, str | None, str | None]:
    """Return the environment's proxies for http and for https, and the hosts without one.

    As curl reads it: lower case first. `HTTP_PROXY` is left alone in a CGI program, where it is
    what a client sent (httpoxy, CVE-2016-5385). Where nothing may leave the machine, no proxy on
    another one is asked.
    """

    def read(name: str) -> str | None:
        upper = None if name == "http_proxy" and "REQUEST_METHOD" in os.environ else name.upper()
        value = os.environ.get(name) or (upper and os.environ.get(upper))
        return value or None

    def usable(proxy: str | None) -> str | None:
        if proxy is None or allow_leaving:
            return proxy
        host = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname
        return proxy if online.is_this_machine(host or "") else None

    for_all = read("all_proxy")
    http, https = (usable(read(name) or for_all) for name in ("http_proxy", "https_proxy"))
    return http, https, read("no_proxy")


def _content(json: Any, body: bytes | str | None) -> tuple[bytes | None, str | None]:
    if json is not _NOTHING:
        if body is not None:
            msg = "a request has one body: give json or body, not both"
            raise ValueError(msg)
        return json_module.dumps(json).encode(), "application/json"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return body, None


def _response(answer: tuple[str, int, str, list[tuple[str, str]], bytes]) -> Response:
    url, status, version, headers, body = answer
    return Response(url, status, version, Headers(headers), body)


__all__ = [
    "ChecksumError",
    "Download",
    "Headers",
    "HttpError",
    "Progress",
    "Response",
    "TransferError",
    "TransferTimeout",
    "download",
    "fetch",
    "hash_file",
    "read_file",
    "upload",
]
