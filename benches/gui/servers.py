"""Web servers inside Blender: ours, and what add-ons do today, in a thread."""

from __future__ import annotations

import asyncio
import http.server
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN: Final = "0123456789abcdef0123456789abcdef"
HELLO: Final = b'{"ok":true}'


class WebServer(Protocol):
    """A server, until it is stopped.

    Attributes:
        port: On 127.0.0.1; 0 until it listens.
    """

    port: int

    def stop(self) -> None:
        """End it, and wait until it has ended."""


class Ours:
    """`aiobpy.server`, with a handler in Python: `/a/bench/hello`."""

    def __init__(self) -> None:
        import aiobpy.server
        from aiobpy import web

        site = web.site("bench")

        @site.get("/hello")
        def hello() -> dict[str, bool]:
            return {"ok": True}

        self.port = aiobpy.server.start(token=TOKEN).port

    def stop(self) -> None:
        """Switch it off, and the loop with it."""
        import aiobpy.server
        from aiobpy import host

        aiobpy.server.stop()
        host.shut_down()


class AiohttpInThread:
    """aiohttp on asyncio's own loop, in a thread of Python's."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the loop and join the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        from aiohttp import web

        async def hello(_request: web.Request) -> web.Response:
            return web.Response(body=HELLO, content_type="application/json")

        async def start() -> web.AppRunner:
            app = web.Application()
            app.router.add_get("/{path:.*}", hello)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return runner

        runner = self._loop.run_until_complete(start())
        self.port = runner.addresses[0][1]
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


class StandardInThread:
    """Python's own `http.server`, a thread for each connection."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Shut it down and join the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # As all others do: without it each answer waits for the other side's acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(HELLO)))
        self.end_headers()
        self.wfile.write(HELLO)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


SERVERS: Final[dict[str, Callable[[], WebServer]]] = {
    "aiobpy": Ours,
    "aiohttp": AiohttpInThread,
    "standard": StandardInThread,
}
