"""Real servers on free ports of loopback, in folders of their own; they end with the tests."""

from __future__ import annotations

import fcntl
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Command = Sequence[str | Path]

_PATIENCE: Final = 60.0
"""Seconds until a server must accept clients; RabbitMQ takes five on an idle machine."""


class Peers:
    """Starts a server when a test first asks for its address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self._addresses: dict[str, str] = {}

    def redis(self) -> str:
        """Return the URL of a Redis."""
        return self._address_of("redis", _redis)

    def website(self) -> str:
        """Return the URL of a web server, and so of `Peers.website_folder`."""
        return self._address_of("website", _website)

    @property
    def website_folder(self) -> Path:
        """What the web server serves."""
        folder = self._folder / "website"
        folder.mkdir(exist_ok=True)
        return folder

    def stop(self) -> None:
        """End all servers."""
        self._running.close()

    def _address_of(self, name: str, start: Callable[[Path], Any]) -> str:
        if name not in self._addresses:
            folder = self._folder / name
            folder.mkdir(exist_ok=True)
            self._addresses[name] = self._running.enter_context(start(folder))
        return self._addresses[name]


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    def command(port: int) -> Command:
        place = ("--bind", "127.0.0.1", "--port", str(port), "--dir", folder)
        return ["redis-server", *place, "--save", "", "--appendonly", "no"]

    with _serving(command, "Ready to accept connections", folder) as port:
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def _website(folder: Path) -> Iterator[str]:
    def command(port: int) -> Command:
        place = ("--bind", "127.0.0.1", "--directory", folder)
        return [sys.executable, "-u", "-m", "http.server", str(port), *place]

    with _serving(command, "Serving HTTP", folder) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _serving(
    command: Callable[[int], Command],
    ready: str,
    folder: Path,
    *,
    user: str | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[int]:
    """Run a server on a free port from the moment on that it says `ready`; yield the port."""
    for attempt in range(3):
        port = free_port()
        server = Server(command(port), folder, user, environment)
        try:
            server.wait_until_it_says(ready)
        except EndedEarlyError:
            server.end()
            # Perhaps another process has been given the port in the meantime.
            if attempt == 2:
                raise
            continue
        try:
            yield port
        finally:
            server.end()
        return


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class EndedEarlyError(Exception):
    """A server ended before it was ready."""


class Server:
    """A process that the kernel ends when ours ends, however that ends.

    Args:
        command: Its arguments.
        folder: Where it runs.
        user: As whom it runs, if we may not be the one.
        environment: Variables besides ours.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        user: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._name = Path(command[0]).name
        if shutil.which(command[0]) is None:
            message = f"`{self._name}` is not installed; `cargo xtask setup` installs it"
            raise FileNotFoundError(message)
        identity = (f"--reuid={user}", f"--regid={user}", "--init-groups") if user else ()
        self._process = subprocess.Popen(
            ["setpriv", *identity, "--pdeathsig=KILL", "--", *command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        # Nobody reads what it says later on; a test makes no server say that much.
        fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, 1 << 20)

    def wait_until_it_says(self, ready: str) -> None:
        """Wait until `ready` is in its output.

        Raises:
            EndedEarlyError: It ended instead.
            TimeoutError: It has not said so in time.
        """
        said = b""
        deadline = time.monotonic() + _PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while ready.encode() not in said:
                if not selector.select(deadline - time.monotonic()):
                    self.end()
                    raise TimeoutError(f"`{self._name}` has not said `{ready}`, but: {said!r}")
                more = os.read(self._output.fileno(), 65536)
                if not more:
                    raise EndedEarlyError(f"`{self._name}` ended: {said.decode(errors='replace')}")
                said += more

    def end(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
