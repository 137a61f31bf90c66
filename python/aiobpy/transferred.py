"""What transfers end with: results and errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path  # noqa: TC003 - what a result holds
from typing import Any, NamedTuple


class Progress(NamedTuple):
    """How far a transfer is."""

    done: int
    """Bytes, those of an earlier part included."""
    total: int | None
    """Bytes of the whole; None if the server does not tell."""

    @property
    def fraction(self) -> float | None:
        """From 0 to 1; None if the whole is not known."""
        if self.total is None:
            return None
        return self.done / self.total if self.total else 1.0


class Download(NamedTuple):
    """A file that has been downloaded."""

    path: Path
    """Where it is."""
    size: int
    """Its bytes."""
    sha256: str | None
    """In hexadecimal digits, if it was checked."""
    url: str
    """Who gave it at last, after redirects and mirrors."""
    resumed_from: int
    """How many of its bytes had come before."""
    http_version: str
    """As in `HTTP/2`; empty if nothing had to be asked."""


class Headers(Mapping[str, str]):
    """Headers of an answer. Names are found in any case; what came twice is joined by commas."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        """As they came, names in lower case."""

    def get_all(self, name: str) -> list[str]:
        """Return each value of a header, as of `Set-Cookie`."""
        return [value for key, value in self.pairs if key == name.lower()]

    def __getitem__(self, name: str) -> str:
        if values := self.get_all(name):
            return ", ".join(values)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(dict(self.pairs))

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


class Response(NamedTuple):
    """An answer, all of it in memory."""

    url: str
    """Who has answered, after redirects."""
    status: int
    http_version: str
    """As in `HTTP/1.1`."""
    headers: Headers
    bytes: bytes
    """The body, decoded."""

    def text(self) -> str:
        """Return the body as text: in the charset that the answer names, or else in UTF-8."""
        return self.bytes.decode(_charset(self.headers.get("content-type", "")), "replace")

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.bytes)


class TransferError(Exception):
    """A transfer has failed; the text says why, and what to do.

    Neither it nor the text holds a password, a token or the query of an address.

    Attributes:
        url: Who was asked, without credentials and query; None if it is not one address's fault.
    """

    def __init__(self, message: str, url: str | None = None) -> None:
        super().__init__(message)
        self.url = url


class TransferTimeout(TransferError, TimeoutError):
    """Nothing has happened for too long."""


class ChecksumError(TransferError):
    """What has come is not what was wanted. Nothing of it is kept."""


class HttpError(TransferError):
    """The server has answered with a status that is no success.

    Attributes:
        status: As in 404.
        headers: Of the answer.
        body: Of the answer, as far as 64 KiB go.
    """

    def __init__(
        self,
        message: str,
        url: str,
        status: int,
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> None:
        super().__init__(message, url)
        self.status = status
        self.headers = Headers(headers)
        self.body = body


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"')
            try:
                "".encode(charset)
            except LookupError:
                break
            return charset
    return "utf-8"
