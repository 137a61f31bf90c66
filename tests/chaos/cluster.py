"""Three NATS servers, each of which may be killed and comes back with what it had."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_ADDRESS: Final = re.compile(r"serving (nats://\S+);")


class Cluster:
    """What `aiobpy engine start` starts.

    Args:
        folder: Where the servers keep what they acknowledge.

    Attributes:
        engine: For `aiobpy serve --engine`.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        command = [sys.executable, "-m", "aiobpy", "engine", "start", "--nodes", "3", "--port", "0"]
        self._starter = subprocess.Popen(
            [*command, "--data", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._starter.stdout is not None
        found = _ADDRESS.search(self._starter.stdout.readline())
        assert found, "the engine says where it serves"
        self.engine = found.group(1)
        pids = _children(self._starter.pid)
        self._commands = [_command_of(pid) for pid in pids]
        self._pids = pids
        self._again: list[subprocess.Popen[bytes]] = []

    def __len__(self) -> int:
        return len(self._pids)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._starter.send_signal(signal.SIGINT)
        for process in self._again:
            process.kill()
            process.wait()
        self._starter.communicate()

    def kill(self, place: int) -> None:
        """End one as a lost machine ends."""
        os.kill(self._pids[place], signal.SIGKILL)
        for process in self._again:
            if process.pid == self._pids[place]:
                process.wait()

    def start(self, place: int) -> None:
        """Start it again, and wait until it listens."""
        process = subprocess.Popen(
            self._commands[place],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._again.append(process)
        self._pids[place] = process.pid
        host, port = self.engine.removeprefix("nats://").split(",")[place].rsplit(":", 1)
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                assert process.poll() is None, "a NATS server does not start again"
            else:
                return

    def send(self, place: int, number: signal.Signals) -> None:
        """Send one a signal."""
        os.kill(self._pids[place], number)


def _children(pid: int) -> list[int]:
    """In the order in which they were started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


def _command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\x00").split("\x00")
