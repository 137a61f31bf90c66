"""One `aiobpy serve`, which may be killed at any time and is started again where it was."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.net import HERE, Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TOKEN: Final = "chaos-0123456789abcdef0123456789abcdef"
_PATIENCE: Final = 120.0
"""Seconds that it may take to serve."""
_LOOK_EVERY: Final = 0.1
TEMPLATE: Final = Path(__file__).with_name("numbered.py")


class Node:
    """A fleet of a few workers, with a port and a folder that outlive its process.

    Args:
        folder: For its data and what it prints.
        arguments: More of `aiobpy serve`.
        environment: More variables.
        machine: What it runs on.
        templates: Its templates' file.

    Attributes:
        up: Set while it listens, as far as those know who kill and start it.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        machine: Machine = HERE,
        templates: Path = TEMPLATE,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = _free_port()
        self._machine = machine
        self._environment = environment or {}
        self._command = machine.command(
            [
                *(sys.executable, "-m", "aiobpy", "serve", "--no-cache", "--port", str(self.port)),
                *("--data", str(folder / "data"), "--templates", str(templates), *arguments),
            ]
        )
        self.process: subprocess.Popen[bytes]
        self.starts = 0
        self.up = threading.Event()
        self.start()

    def start(self) -> None:
        """Start it, as whoever watches over services would, and wait until it listens.

        Raises:
            TimeoutError: It does not.
        """
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
        self._wait_until(self._listens)
        self.up.set()

    def kill(self) -> None:
        """End it as a lost machine ends."""
        self.up.clear()
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Interrupt it; return its exit code."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_PATIENCE)

    def workers(self) -> list[dict[str, Any]]:
        """Return what it says of its workers that have a process; nothing if it does not answer."""
        try:
            status, answer = self.ask("GET", "/api/v1/workers", seconds=5)
        except OSError:
            return []
        workers = json.loads(answer)["workers"] if status == 200 else []
        return [worker for worker in workers if worker["pid"]]

    def wait_until_ready(self, workers: int = 1) -> None:
        """Wait until so many workers are warm, as far as it knows.

        Raises:
            TimeoutError: They were not in time.
        """
        up = {"warm", "busy"}
        self._wait_until(lambda: sum(worker["state"] in up for worker in self.workers()) >= workers)

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
        with self._asked(method, path, body, seconds, headers or {}) as answer:
            return answer.status, answer.read()

    def events(self, job: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Return what is told of a job, from its begin to its end.

        Args:
            job: Its id.
            seconds: Without a word, after which it is over.

        Raises:
            OSError: It was cut short.
        """
        return self.follow(f"/api/v1/jobs/{job}/events", seconds)

    def follow(
        self, path: str, seconds: float, begun: Callable[[], None] = lambda: None
    ) -> Iterator[dict[str, Any]]:
        """Yield what a stream of events tells.

        Args:
            path: The stream's.
            seconds: As of `events`.
            begun: Called when nothing that happens from now on is missed.

        Raises:
            OSError: It was cut short.
        """
        with self._asked("GET", path, None, seconds, {}) as answer:
            if answer.status != 200:
                raise ConnectionError(f"GET {path}: {answer.status}: {answer.read()!r}")
            begun()
            for line in answer:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, body: object, seconds: float, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        text = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            text = json.dumps(body)
        try:
            with self._machine.entered():
                connection.connect()
            connection.request(method, path, text, sent)
            yield connection.getresponse()
        except http.client.HTTPException as error:
            raise ConnectionError(f"the answer was cut short: {error!r}") from error
        finally:
            connection.close()

    def get(self, path: str) -> bytes:
        """Return what is at an address, once it can be had.

        Raises:
            AssertionError: It cannot be had, or not for very long.
        """
        end = time.monotonic() + _PATIENCE
        last: object = None
        while time.monotonic() < end:
            try:
                status, answer = self.ask("GET", path)
            except OSError as error:
                last = error
                self.up.wait(_PATIENCE)
                continue
            if status == 200:
                return answer
            last = (status, answer[:500])
            if status < 500:
                break
        raise AssertionError(f"GET {path}: {last}")

    def _listens(self) -> bool:
        try:
            with self._machine.entered():
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not is_so():
            # Also over if its process is: until then nothing tells what it is about to do.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_LOOK_EVERY)
            if self.process.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"it did not get ready; it printed:\n{self.printed()[-4000:]}")

    def printed(self) -> str:
        """Return all that it has printed."""
        return (self.folder / "printed.txt").read_text(errors="replace")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
