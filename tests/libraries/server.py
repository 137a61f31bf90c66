"""A server in a process of its own, on a free port of loopback."""

from __future__ import annotations

import fcntl
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Command = Sequence[str | Path]

_PATIENCE: Final = 90.0
"""Seconds until a server must accept clients; RabbitMQ takes five on an idle machine."""


@contextmanager
def serving(
    command: Callable[[int], Command],
    ready: str,
    folder: Path,
    *,
    user: str | None = None,
    environment: dict[str, str] | None = None,
    goodbye: signal.Signals = signal.SIGTERM,
) -> Iterator[int]:
    """Run a server on a free port from the moment on that it says `ready`; yield the port.

    Args:
        command: Returns its arguments, given the port.
        ready: Is in its output when it accepts clients.
        folder: Where it runs.
        user: As whom it runs, if we may not be the one.
        environment: Variables besides ours.
        goodbye: The signal that ends it.
    """
    for attempt in range(3):
        port = free_port()
        server = Server(command(port), folder, user, environment, goodbye)
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

    The others are those of `serving`.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        user: str | None = None,
        environment: dict[str, str] | None = None,
        goodbye: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._goodbye = goodbye
        self._name = Path(command[0]).name
        if shutil.which(command[0]) is None:
            message = f"`{self._name}` is not installed; `cargo xtask setup` installs it"
            raise FileNotFoundError(message)
        identity: list[str] = []
        if user:
            group = pwd.getpwnam(user).pw_gid
            identity = [f"--reuid={user}", f"--regid={group}", "--init-groups"]
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
        self._process.send_signal(self._goodbye)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
