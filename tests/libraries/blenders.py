"""A guide in a Blender: the `bpy` module, which has no main loop, or a Blender with windows."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiobpy.uitest.wire import PATIENCE, Wire
from tests.libraries import guides

if TYPE_CHECKING:
    from collections.abc import Callable

DRIVER: Final = Path(__file__).with_name("driver.py")
_SECONDS: Final = 30.0
"""That a guide's task may take to its end."""


class Guest(Protocol):
    """A process that is asked over a wire."""

    ask: Callable[..., Any]


class BlenderModule:
    """The `bpy` module in a Python of its own.

    Args:
        python: The interpreter.
        log: The file that keeps what it prints.
        driver: The script that answers at its end of the wire.
    """

    def __init__(self, python: Path, log: Path, driver: Path = DRIVER) -> None:
        self._log = log
        self._wire = Wire(self.said)
        with log.open("wb") as printed:
            self._process = subprocess.Popen(
                [python, driver, str(self._wire.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                pass_fds=[self._wire.fileno()],
            )
        self._wire.handed_over()
        self.ask = self._wire.ask

    def said(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End it, and wait until it has ended."""
        self._wire.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


class Blender:
    """What a test does with a Blender, whichever it is.

    Args:
        guest: The process.
        folder: An empty folder for the files that a guide reads and writes.
        folder_inside: The same, as this Blender sees it.
    """

    def __init__(self, guest: Guest, folder: Path, folder_inside: Path | None = None) -> None:
        self._guest = guest
        self.folder = folder
        self.folder_inside = folder_inside or folder

    def run(self, guide: str, **environment: object) -> None:
        """Run the code of a guide; variables of the environment say where its peers are."""
        texts = {name: str(value) for name, value in environment.items()}
        code = guides.code(guide)
        self._guest.ask("run", name=f"guide_{guide}", code=code, environment=texts)

    def wait_until_it_listens(self, port: int) -> None:
        """Wait until a server that the guide starts accepts connections."""
        self._guest.ask("wait_until_it_listens", port=port, seconds=_SECONDS)

    def finish(self) -> Any:
        """Wait for the end of the guide's task and return its result."""
        return self._guest.ask("finish", seconds=_SECONDS)

    def stop(self) -> None:
        """Cancel the guide's task, which must leave nothing behind."""
        self._guest.ask("stop", seconds=_SECONDS)

    def python(self) -> tuple[int, int]:
        """Return the version of its Python."""
        major, minor = self._guest.ask("python_version")
        return major, minor

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, which JSON must be able to tell."""
        return self._guest.ask("evaluate", expression=expression)
