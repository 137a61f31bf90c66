"""The supervisor's side of a worker, by hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60.0
"""A worker that says nothing of interest for so long has failed."""


class Supervisor:
    """Starts one worker and speaks with it.

    Args:
        folder: For the worker's files.
        templates: What it is to load.
        command: What to run; the `bpy` module in this Python if left out.
        seen_as: Where the worker finds the folder, if its root is another.
        welcome: What else it is told: see `wire::Welcome`.
    """

    def __init__(
        self,
        folder: Path,
        templates: list[Path],
        command: list[str] | None = None,
        seen_as: Path | None = None,
        **welcome: object,
    ) -> None:
        self._folder = folder
        self._seen_as = seen_as or folder
        self._jobs = 0
        self.printed = folder / "printed.txt"
        ours, theirs = socket.socketpair()
        with theirs, self.printed.open("wb") as printed:
            self.process = subprocess.Popen(
                command or [sys.executable, "-m", "aiobpy.worker"],
                stdin=theirs.fileno(),
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(folder)},
                start_new_session=True,
            )
        ours.settimeout(SECONDS)
        self._link = ours
        self._lines = ours.makefile("r", encoding="utf-8")
        self.progress: list[float] = []
        self.messages: list[str] = []
        paths = [str(path) for path in templates]
        self.send(type="welcome", templates=paths, folder=str(self._seen_as), **welcome)
        self.greeting = self.hear("ready", "unusable")

    def send(self, **message: object) -> None:
        """Send one message, written as the supervisor writes it."""
        self._link.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def hear(self, *kinds: str) -> dict[str, Any]:
        """Return the next message of one of these kinds; note the progress on the way."""
        for line in self._lines:
            message: dict[str, Any] = json.loads(line)
            if message["type"] == "progressed":
                self.progress.append(message["progress"])
                self.messages.append(message["message"])
            if message["type"] in kinds:
                return message
        msg = f"the worker closed the link; it printed:\n{self.printed.read_text()}"
        raise AssertionError(msg)

    def begin(self, template: str, params: dict[str, Any], **output: Any) -> Path:
        """Hand out a job; return where its image is to be."""
        self._jobs += 1
        self.progress, self.messages = [], []
        output.setdefault("format", "png")
        path = self._folder / f"{self._jobs}.{output['format']}"
        self.send(
            type="start",
            id=f"job-{self._jobs}",
            attempt=1,
            template=template,
            params=params,
            output=output,
            output_path=str(self._seen_as / path.name),
        )
        return path

    def render(self, template: str, params: dict[str, Any] | None = None, **output: Any) -> Path:
        """Have a picture rendered; return its file."""
        path = self.begin(template, params or {}, **output)
        answer = self.hear("finished", "failed")
        assert answer["type"] == "finished", answer
        assert answer["id"] == f"job-{self._jobs}"
        return path

    def fail(self, template: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Have a job fail; return its problem."""
        self.begin(template, params or {}, width=16, height=16, samples=1)
        answer = self.hear("finished", "failed")
        assert answer["type"] == "failed", answer
        problem: dict[str, Any] = answer["problem"]
        return problem

    def cancel(self) -> dict[str, Any]:
        """Take the job under way back; return the answer."""
        self.send(type="cancel", id=f"job-{self._jobs}", attempt=1)
        return self.hear("finished", "failed")

    def hang_up(self) -> None:
        """Close the link, as when the supervisor dies."""
        self._lines.close()
        self._link.close()

    def end(self) -> None:
        """See that nothing is left."""
        self.hang_up()
        self.process.kill()
        self.process.wait(SECONDS)
