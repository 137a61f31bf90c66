"""One `aiobpy serve`, which may be killed at any time and is started again where it was."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN: Final = "chaos-0123456789abcdef0123456789abcdef"
_PATIENCE: Final = 120.0
"""Seconds that it may take to serve."""
TEMPLATE: Final = Path(__file__).with_name("numbered.py")


class Node:
    """A fleet of a few workers, with a port and a folder that outlive its process.

    Args:
        folder: For its data and what it prints.
        arguments: More of `aiobpy serve`.
        environment: More variables.
    """

    def __init__(
        self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = _free_port()
        self._environment = environment or {}
        self._command = [
            *(sys.executable, "-m", "aiobpy", "serve", "--no-cache", "--port", str(self.port)),
            *("--data", str(folder / "data"), "--templates", str(TEMPLATE), *arguments),
        ]
        self.process: subprocess.Popen[bytes]
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Start it, as whoever watches over services would."""
        self.starts += 1
        environment = {
            **os.environ,
            "AIOBPY_TOKEN": TOKEN,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            **self._environment,
        }
        with (self.folder / "printed.txt").open("ab") as printed:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a lost machine ends."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Interrupt it; return its exit code."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_PATIENCE)

    def pids(self) -> list[int]:
        """Return the processes of its workers; none if it does not answer."""
        try:
            status, answer = self.ask("GET", "/api/v1/workers", seconds=5)
        except OSError:
            return []
        workers = json.loads(answer)["workers"] if status == 200 else []
        return [worker["pid"] for worker in workers if worker["pid"]]

    def wait_until_ready(self) -> None:
        """Wait until a worker is warm.

        Raises:
            TimeoutError: None was in time.
        """
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                _, answer = self.ask("GET", "/api/v1/workers", seconds=5)
            except OSError:
                continue
            if any(worker["state"] == "warm" for worker in json.loads(answer)["workers"]):
                return
        raise TimeoutError(f"no worker got ready; it printed:\n{self.printed()[-4000:]}")

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        seconds: float = 60.0,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send a request.

        Returns:
            The status and the body.

        Raises:
            OSError: There was no whole answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        sent = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
        text = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            text = json.dumps(body)
        try:
            connection.request(method, path, text, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"the answer was cut short: {error!r}") from error
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return what is at an address, once it can be had."""
        while True:
            try:
                status, answer = self.ask("GET", path)
            except OSError:
                continue
            if status == 200:
                return json.loads(answer)
            if status < 500:
                raise AssertionError(f"GET {path}: {status}: {answer!r}")

    def printed(self) -> str:
        """Return all that it has printed."""
        return (self.folder / "printed.txt").read_text(errors="replace")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
