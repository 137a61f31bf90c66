"""The servers that are measured, and the programs that load them: each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from benches.machine import ROOT
from benches.web.serve import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS: Final = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
"""Where cargo puts what `benches/peers` is built to."""


_LONGEST_START: Final = 20.0
"""Seconds."""


class Server:
    """A server that runs.

    Attributes:
        name: As `benches.web.serve` has it, or that of a program of `benches/peers`.
        port: On 127.0.0.1.
        token: What ours wants to see; the others do not look.
    """

    token: Final = TOKEN

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.name = name
        self.port = int(process.stdout.readline())
        self._process = process
        self._wait_until_it_listens()

    @classmethod
    @contextlib.contextmanager
    def start(cls, name: str, folder: str) -> Iterator[Self]:
        """Start it; it ends with the block."""
        program = PROGRAMS / name
        command = [sys.executable, "-m", "benches.web.serve", name, folder]
        process = subprocess.Popen(
            [program] if program.exists() else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
            env=os.environ | {"XDG_CONFIG_HOME": folder},
        )
        try:
            yield cls(name, process)
        finally:
            # With all that it has started.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _wait_until_it_listens(self) -> None:
        began = time.monotonic()
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                if time.monotonic() - began > _LONGEST_START:
                    raise
                time.sleep(0.01)
            else:
                return

    @property
    def address(self) -> str:
        """As in `http://127.0.0.1:43210`."""
        return f"http://127.0.0.1:{self.port}"

    def resident_mebibytes(self) -> float:
        """What the process and its children hold in memory."""
        return sum(_resident(pid) for pid in _tree(self._process.pid)) / 2**20

    def cpu_seconds(self) -> float:
        """What the process has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(program: str, server: Server, path: str, options: Sequence[str]) -> dict[str, Any]:
    """Run a program of `benches/peers` against a path and return its figures."""
    said = subprocess.run(
        command_of(program, server, path, options),
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"LOAD_TOKEN": server.token},
    )
    if said.returncode:
        msg = f"{program} could not load {server.name}: {said.stderr}"
        raise RuntimeError(msg)
    figures: dict[str, Any] = json.loads(said.stdout)
    return figures


def command_of(program: str, server: Server, path: str, options: Sequence[str]) -> list[str]:
    """The command that loads a path of a server."""
    return [str(PROGRAMS / program), "--port", str(server.port), "--path", path, *options]


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from _tree(int(child))


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
