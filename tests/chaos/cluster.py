"""Three NATS servers, each of which may be killed and comes back with what it had."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.net import HERE, Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVERS: Final = ("server-1", "server-2", "server-3")
_ADDRESS: Final = re.compile(r"serving (nats://\S+);")
_STREAM: Final = "aiobpy_jobs"
_PATIENCE: Final = 2.0


class Cluster:
    """What `aiobpy engine start` would run, each server a process of ours.

    Args:
        folder: Where the servers keep what they acknowledge.
        machines: What they run on.

    Attributes:
        engine: For `aiobpy serve --engine`.
        folder: Of all of them; each has one in it.
    """

    def __init__(self, folder: Path, machines: Sequence[Machine] = (HERE,) * 3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._machines = machines
        addresses, self._commands = _settings(folder)
        self._places = [
            (machine.address, int(address.rsplit(":", 1)[1]))
            for machine, address in zip(machines, addresses, strict=True)
        ]
        self._move_from(addresses)
        self.engine = "nats://" + ",".join(f"{host}:{port}" for host, port in self._places)
        self._processes = [self._begin(place) for place in range(len(self))]
        for place in range(len(self)):
            self._wait_until_it_listens(place)

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """End them all."""
        for process in self._processes:
            process.kill()
            process.wait()

    def kill(self, place: int) -> None:
        """End one as a lost machine ends."""
        self._processes[place].kill()
        self._processes[place].wait()

    def start(self, place: int) -> None:
        """Start it again, and wait until it listens."""
        self._processes[place] = self._begin(place)
        self._wait_until_it_listens(place)

    def send(self, place: int, number: signal.Signals) -> None:
        """Send one a signal."""
        self._processes[place].send_signal(number)

    def leader(self) -> int | None:
        """Return who leads the stream of jobs; None if nobody does, or nobody says."""
        for place in range(len(self)):
            with contextlib.suppress(OSError, ValueError, KeyError):
                leader: str = self._ask_about_the_stream(place)["cluster"]["leader"]
                return int(leader.rsplit("-", 1)[1]) - 1
        return None

    def _move_from(self, addresses: Sequence[str]) -> None:
        """Have each listen where its machine is, and look for the others on theirs."""
        texts = [(self.folder / f"aiobpy-{it + 1}/server.conf").read_text() for it in range(3)]
        routes = [_own_route(text) for text in texts]
        for place, text in enumerate(texts):
            for machine, address, route in zip(self._machines, addresses, routes, strict=True):
                for port in (address.rsplit(":", 1)[1], route):
                    text = text.replace(f"127.0.0.1:{port}", f"{machine.address}:{port}")
            (self.folder / f"aiobpy-{place + 1}/server.conf").write_text(text)

    def _begin(self, place: int) -> subprocess.Popen[bytes]:
        with (self.folder / f"aiobpy-{place + 1}/printed.txt").open("ab") as printed:
            return subprocess.Popen(
                self._machines[place].command(self._commands[place]),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    def _wait_until_it_listens(self, place: int) -> None:
        while True:
            try:
                self._connect(place).close()
            except OSError:
                assert self._processes[place].poll() is None, "a NATS server does not start again"
            else:
                return

    def _connect(self, place: int) -> socket.socket:
        with self._machines[place].entered():
            return socket.create_connection(self._places[place], timeout=_PATIENCE)

    def _ask_about_the_stream(self, place: int) -> Any:
        """By NATS' protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol."""
        with self._connect(place) as connection, connection.makefile("rwb") as lines:
            question = f"PUB $JS.API.STREAM.INFO.{_STREAM} answer 0\r\n\r\n"
            lines.write(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n' + question.encode())
            lines.flush()
            while not (line := lines.readline()).startswith(b"MSG "):
                if not line:
                    raise ConnectionError("the server has hung up")
            return json.loads(lines.read(int(line.split()[-1])))


def _settings(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Have `aiobpy engine start` write them; return where the servers listen and their commands."""
    command = [sys.executable, "-m", "aiobpy", "engine", "start", "--nodes", "3", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        found = _ADDRESS.search(starter.stdout.readline())
        assert found, "the engine says where it serves"
        commands = [_command_of(pid) for pid in _children(starter.pid)]
        starter.send_signal(signal.SIGINT)
        starter.communicate()
    return found.group(1).removeprefix("nats://").split(","), sorted(commands)


def _own_route(text: str) -> str:
    """Return the port at which a server listens to the others."""
    found = re.search(r'cluster \{.*?listen: "127\.0\.0\.1:(\d+)"', text, re.DOTALL)
    assert found, text
    return found.group(1)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _command_of(pid: int) -> list[str]:
    command = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\x00").split("\x00")
    # A relative path may be to a folder that only its starter was in.
    return [os.path.realpath(f"/proc/{pid}/exe"), *command[1:]]
