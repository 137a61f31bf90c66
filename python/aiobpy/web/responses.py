"""What handlers answer, and how it is sent."""

from __future__ import annotations

import mimetypes
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiobpy.image import Image
from aiobpy.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

    from aiobpy._native import Exchange

_JSON: Final = [("content-type", "application/json")]
_TEXT: Final = [("content-type", "text/plain; charset=utf-8")]
_BYTES: Final = [("content-type", "application/octet-stream")]
_NO_CONTENT: Final = 204


@dataclass
class Response:
    """An answer with a status or headers of its own.

    Attributes:
        body: Bytes and texts are sent as they are; None is no body; the rest is sent as JSON.
        status: Of HTTP, 200 to 599.
        headers: Names and values, or pairs of them where a name occurs more than once.
        content_type: As in `image/png`; what suits the body if left out.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] | list[tuple[str, str]] = field(default_factory=dict)
    content_type: str | None = None


@dataclass
class Stream:
    """An answer whose body is sent as it is made, no faster than the client takes it."""

    chunks: AsyncIterable[bytes]
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] | list[tuple[str, str]] = field(default_factory=dict)


@dataclass
class File:
    """A file, sent by Rust: with its length, an ETag and ranges.

    Attributes:
        path: It has to be readable when the answer begins.
        content_type: What its name says if left out.
        headers: As `Content-Disposition`.
    """

    path: str | os.PathLike[str]
    content_type: str | None = None
    headers: Mapping[str, str] | list[tuple[str, str]] = field(default_factory=dict)


def send(exchange: Exchange, result: Any) -> Stream | None:
    """Answer with what a handler returned; a stream is returned, for it takes its time.

    Raises:
        TypeError: JSON cannot say it.
        ValueError: JSON cannot say it, or a header cannot be sent.
    """
    if type(result) is dict or type(result) is list:
        exchange.respond(200, _JSON, dumps(result).encode())
    elif result is None:
        exchange.respond(_NO_CONTENT, [], b"")
    elif isinstance(result, Response):
        content_type, body = _encoded(result.body)
        headers = _headers_of(result.headers, result.content_type or content_type)
        exchange.respond(result.status, headers, body)
    elif isinstance(result, File):
        name = os.fspath(result.path)
        content_type = result.content_type or mimetypes.guess_type(name)[0] or _BYTES[0][1]
        exchange.respond_file(_headers_of(result.headers, content_type), name)
    elif isinstance(result, Stream):
        return result
    else:
        content_type, body = _encoded(result)
        exchange.respond(200, [("content-type", content_type or "")], body)
    return None


async def pour(exchange: Exchange, stream: Stream) -> None:
    """Send a stream.

    Raises:
        OSError: The client has gone.
    """
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in _headers_of(stream.headers, stream.content_type)
    ]
    start = {"type": "http.response.start", "status": stream.status, "headers": headers}
    await exchange.send(start)
    async for chunk in stream.chunks:
        await exchange.send({"type": "http.response.body", "body": chunk, "more_body": True})
    await exchange.send({"type": "http.response.body"})


def _encoded(body: Any) -> tuple[str | None, bytes]:
    """Return the content type and the bytes of a body."""
    if body is None:
        return None, b""
    if isinstance(body, str):
        return _TEXT[0][1], body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return _BYTES[0][1], bytes(body)
    if isinstance(body, Image):
        return body.content_type, body.data
    return _JSON[0][1], dumps(body).encode()


def _headers_of(
    given: Mapping[str, str] | list[tuple[str, str]], content_type: str | None
) -> list[tuple[str, str]]:
    headers = list(given) if isinstance(given, list) else list(given.items())
    if content_type and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", content_type))
    return headers
