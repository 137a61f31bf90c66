"""A WebSocket as a handler sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from aiobpy.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiobpy._native import Exchange

_NORMAL = 1000


class WebSocket:
    """A WebSocket that a client has opened: the type of a parameter of a handler.

    It is accepted with the first message that is sent or waited for, if `accept` was not called.
    `async for message in socket` gives texts and bytes until the client goes.

    Attributes:
        close_code: With which the client went; None while it is there.
        close_reason: What it said.
    """

    is_given_by_the_exchange = True

    def __init__(self, exchange: Exchange) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self.is_receiving = False
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<WebSocket {self._exchange.path}>"

    @property
    def subprotocols(self) -> list[str]:
        """Those that the client speaks, what it likes best first."""
        offered: list[str] = self._exchange.scope()["subprotocols"]
        return offered

    @property
    def principal(self) -> str:
        """Who has opened it, as the user knows it."""
        return self._exchange.principal

    def header(self, name: str) -> str | None:
        """Return the values of a header of the request, joined with commas; None if none."""
        return self._exchange.header(name)

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Accept it.

        Raises:
            OSError: The client has gone.
            RuntimeError: It was accepted already.
        """
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._exchange.send(
            {"type": "websocket.accept", "subprotocol": subprotocol, "headers": pairs}
        )

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            OSError: The client has gone; `close_code` and `close_reason` say how.
        """
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            msg = f"the client has closed the WebSocket, with the code {self.close_code}"
            raise ConnectionResetError(msg) from None

    async def send(self, message: Any) -> None:
        """Send a text, bytes, or anything else as JSON; wait while the client is slow.

        Raises:
            OSError: The client has gone.
            TypeError: JSON cannot say it.
        """
        if not self._exchange.has_started:
            await self.accept()
        if isinstance(message, bytes | bytearray | memoryview):
            await self._exchange.send({"type": "websocket.send", "bytes": message})
        else:
            text = message if isinstance(message, str) else dumps(message)
            await self._exchange.send({"type": "websocket.send", "text": text})

    async def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Close it; before it is accepted, refuse it with the status 403.

        Raises:
            OSError: The client has gone.
        """
        await self._exchange.send({"type": "websocket.close", "code": code, "reason": reason})

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        if not self._exchange.has_started:
            await self.accept()
        self.is_receiving = True
        try:
            message = await self._exchange.receive()
            if message["type"] == "websocket.connect":
                message = await self._exchange.receive()
        finally:
            self.is_receiving = False
        if message["type"] == "websocket.disconnect":
            self.close_code = message["code"]
            self.close_reason = message["reason"]
            raise StopAsyncIteration
        text: str | bytes | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content
