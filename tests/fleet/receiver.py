"""A receiver of webhooks: keeps what it was sent, and answers as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether its signature is that of `whsec_…`: https://www.standardwebhooks.com."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode()
        tag = hmac.new(key, signed + self.body, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(tag).decode()
        return wanted in self.headers["webhook-signature"].split()


class Receiver:
    """Listens on loopback, for as long as it is entered.

    Args:
        answers: The statuses to answer with, one after the other; the last for all that follow. A
            text is where a redirect leads to.
    """

    def __init__(self, *answers: int | str) -> None:
        self._received: queue.Queue[Received] = queue.Queue()
        self._answers = list(answers) or [204]
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner._received.put(Received(self.path, headers, body))
                answer = owner._answers[0]
                if len(owner._answers) > 1:
                    del owner._answers[0]
                if isinstance(answer, str):
                    self.send_response(307)
                    self.send_header("Location", answer)
                else:
                    self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self) -> Received:
        """Return the next request; waits for it."""
        return self._received.get(timeout=SECONDS)

    def is_silent(self) -> bool:
        """Whether nothing has come that was not taken."""
        return self._received.empty()
