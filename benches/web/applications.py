"""What all servers that take ASGI serve: a greeting, and an echo of a WebSocket's messages."""

from __future__ import annotations

from typing import Any, Final

HELLO: Final = b'{"ok":true}'
HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", b"11")]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request, or echo."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": HELLO})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message["bytes"]})
    else:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
