"""A request as a handler sees it that wants more than its typed parameters."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any

from aiobpy.rpc import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiobpy._native import Exchange
    from aiobpy.methods import Scope

_LARGEST_BODY = 1 << 20


class Request:
    """What a client asks, whole: the type of a parameter of a handler."""

    __slots__ = ("_exchange",)
    is_given_by_the_exchange = True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"

    @property
    def method(self) -> str:
        """As in `GET`."""
        return self._exchange.method

    @property
    def path(self) -> str:
        """As it was sent, without the query."""
        return self._exchange.path

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """What stood in the places of the route's pattern."""
        return self._exchange.parameters

    @property
    def query(self) -> list[tuple[str, str]]:
        """Names and values, in their order."""
        return urllib.parse.parse_qsl(self._exchange.query, keep_blank_values=True)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case, and values."""
        headers = self._exchange.scope()["headers"]
        return [(name.decode(), value.decode("latin-1")) for name, value in headers]

    def header(self, name: str) -> str | None:
        """Return the values of a header, joined with commas; None if there is none."""
        return self._exchange.header(name)

    @property
    def client(self) -> tuple[str, int] | None:
        """The address that asks; None over a Unix socket."""
        client: tuple[str, int] | None = self._exchange.scope()["client"]
        return client

    @property
    def principal(self) -> str:
        """Who asks, as the user knows it."""
        return self._exchange.principal

    def may(self, scope: Scope) -> bool:
        """Return whether whoever asks has a scope, as one that only some requests need."""
        return self._exchange.may(scope)

    @property
    def is_gone(self) -> bool:
        """Whether the client has gone."""
        return self._exchange.is_gone

    async def stream(self) -> AsyncIterator[bytes]:
        """Return the body as it comes. The client sends no faster than it is taken.

        Raises:
            OSError: The client went before it had sent all.
        """
        if (whole := self._exchange.body) is not None:
            yield whole
            return
        more = not self._exchange.has_no_stream
        while more:
            message = await self._exchange.receive()
            if message["type"] == "http.disconnect":
                msg = "the client went before it had sent the whole body"
                raise ConnectionResetError(msg)
            more = message["more_body"]
            if message["body"]:
                yield message["body"]

    async def body(self, limit: int = _LARGEST_BODY) -> bytes:
        """Return the whole body.

        Args:
            limit: So many bytes at most.

        Raises:
            Problem: There are more; it is answered with the status 413.
            OSError: The client went before it had sent all.
        """
        whole = bytearray()
        async for chunk in self.stream():
            whole += chunk
            if len(whole) > limit:
                raise Problem(
                    f"a body may have {limit} bytes here",
                    status=413,
                    kind="body-too-large",
                    title="The body is too large",
                )
        return bytes(whole)

    async def json(self, limit: int = _LARGEST_BODY) -> Any:
        """Return what the body says as JSON.

        Raises:
            Problem: It is no JSON, or too large.
            OSError: The client went before it had sent all.
        """
        try:
            return json.loads(await self.body(limit))
        except (ValueError, RecursionError) as error:
            raise Problem(
                f"the body is not JSON: {error}", kind="malformed-json", title="Not JSON"
            ) from error
