"""`aiobpy serve` in a process of its own, asked over HTTP as any client would."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SECONDS = 60.0


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.body)


class Service:
    """Starts `aiobpy serve`.

    Args:
        folder: For all of its files.
        arguments: Those of `aiobpy serve`, without the folder for data.
        cache: Whether what was made before answers the same again: most tests want it made anew.

    Attributes:
        url: Where it listens.
        config: Where programs of its user find it, as `XDG_CONFIG_HOME`.
    """

    def __init__(self, folder: Path, *arguments: object, cache: bool = False) -> None:
        self._folder = folder
        self.config = folder / "config"
        command = [sys.executable, "-m", "aiobpy", "serve", "--data", str(folder / "data")]
        command += [] if cache else ["--no-cache"]
        with (folder / "errors.txt").open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "XDG_CONFIG_HOME": str(self.config)},
                text=True,
            )
        assert self.process.stdout is not None
        greeting = self.process.stdout.readline()
        address = re.search(r"http://([\d.]+):(\d+)", greeting)
        assert address, (greeting, self.errors())
        self.host, self.port = address.group(1), int(address.group(2))
        self.url = f"http://{self.host}:{self.port}"
        (discovery,) = (self.config / "aiobpy" / "servers").glob("*.json")
        self.token: str = json.loads(discovery.read_text())["token"]

    def errors(self) -> str:
        """What it has printed to standard error."""
        return (self._folder / "errors.txt").read_text()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; header names have underscores for dashes."""
        connection, response = self._send(method, path, body, headers)
        with closing(connection), response:
            return Answer(response.status, dict(response.headers), response.read())

    def ask_with(
        self, method: str, path: str, body: bytes, content_type: str, **headers: str
    ) -> Answer:
        """Send one request that has a body of another kind than JSON."""
        headers["Content_Type"] = content_type
        connection, response = self._send(method, path, body, headers)
        with closing(connection), response:
            return Answer(response.status, dict(response.headers), response.read())

    def submit(self, template: str, params: dict[str, Any], **output: Any) -> dict[str, Any]:
        """Have a job taken on; return it."""
        request = {"template": template, "params": params, "output": output}
        answer = self.ask("POST", "/api/v1/jobs", request)
        assert answer.status == 202, answer.body
        job: dict[str, Any] = answer.json
        return job

    def events(self, path: str) -> Generator[dict[str, Any], None, None]:
        """Yield the events of a stream until the server ends it."""
        connection, response = self._send("GET", path, None, {})
        with closing(connection), response:
            assert response.status == 200, response.read()
            for line in response:
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

    def events_as(
        self, token: str, path: str, *, last: int
    ) -> Generator[dict[str, Any], None, None]:
        """Yield the events after the `last` one, as whoever has that token."""
        headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": str(last)}
        connection, response = self._send("GET", path, None, headers)
        with closing(connection), response:
            assert response.status == 200, response.read()
            for line in response:
                if line.startswith(b"data:"):
                    yield json.loads(line.removeprefix(b"data:"))

    def story(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Return all events of a job; waits for its end."""
        return list(self.events(f"/api/v1/jobs/{job['id']}/events"))

    def until(self, job: dict[str, Any], kind: str) -> dict[str, Any]:
        """Return the first event of a kind that a job has."""
        with closing(self.events(f"/api/v1/jobs/{job['id']}/events")) as events:
            return next(event for event in events if event["type"] == kind)

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return a job as it is now."""
        found: dict[str, Any] = self.ask("GET", f"/api/v1/jobs/{job['id']}").json
        return found

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers as they are now."""
        found: list[dict[str, Any]] = self.ask("GET", "/api/v1/workers").json["workers"]
        return found

    def end(self) -> int:
        """Interrupt it, as Ctrl-C does; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
        sent = {"Authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, path, body, sent)
        return connection, connection.getresponse()
