"""Blenders with windows, as pytest starts them: how to start one, and one that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from aiobpy.uitest.wire import PATIENCE, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiobpy.uitest.display import Display


class Installation(Protocol):
    """How to start a Blender, for which an empty folder has been made.

    Attributes:
        display: Where its windows are.
        home: The folder. Blender keeps its preferences there, and shares it with us.
    """

    display: Display
    home: Path

    def inside(self, path: Path) -> Path:
        """Return the path of a file in `home` as this Blender sees it."""

    def command_line(self, *arguments: str) -> list[str]:
        """Return how to run this Blender."""

    def remove(self) -> None:
        """Remove the folder."""


@dataclass(frozen=True)
class Candidate:
    """A Blender that tests may run in."""

    name: str
    """How tests name it, as in `4.3`."""
    install: Callable[[Display], Installation]
    """Makes its folder."""


class InstalledBlender:
    """A Blender that is installed on this machine, with preferences of its own for the tests."""

    def __init__(self, program: Path, display: Display) -> None:
        self.display = display
        self.home = Path(tempfile.mkdtemp(prefix="aiobpy-uitest-"))
        self._program = program

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.home, ignore_errors=True)

    def inside(self, path: Path) -> Path:
        """Return the same path."""
        return path

    def command_line(self, *arguments: str) -> list[str]:
        """Return how to run it."""
        variables = {"DISPLAY": self.display.name, "BLENDER_USER_RESOURCES": str(self.home)}
        settings = [f"{name}={value}" for name, value in variables.items()]
        return ["env", *settings, str(self._program), *arguments]


class RunningBlender:
    """A Blender with a window that runs, and a wire to what answers inside it.

    Args:
        installation: How to start it.
        arguments: Given the number of the wire's descriptor, returns the arguments for Blender.
    """

    def __init__(
        self, installation: Installation, arguments: Callable[[int], Sequence[str]]
    ) -> None:
        width, height = installation.display.WIDTH, installation.display.HEIGHT
        self.log = installation.home / "blender.log"
        self.wire = Wire(self.said)
        geometry = ["--window-geometry", "0", "0", str(width), str(height)]
        command = installation.command_line(*geometry, *arguments(self.wire.fileno()))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self.wire.fileno()],
            )
        self.wire.handed_over()
        self.ask = self.wire.ask
        self.pid = self._process.pid

    def said(self) -> str:
        """What Blender has printed so far."""
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for Blender's end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It takes longer than that.
        """
        return self._process.wait(timeout=seconds)

    def hang_up(self) -> None:
        """Close the wire: what answers inside may leave Blender then."""
        self.wire.close()

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def close(self) -> None:
        """End Blender if it still runs, and hang up."""
        if self.is_running():
            self._process.kill()
            self._process.wait()
        self.wire.close()


def provide(installation: Installation, packages: Sequence[Path]) -> Path:
    """Put packages and modules into the folder of a Blender.

    Returns:
        The folder that has them, as that Blender sees it: one for `sys.path`.
    """
    modules = installation.home / "modules"
    modules.mkdir(exist_ok=True)
    for package in packages:
        place = modules / package.name
        if package.is_dir():
            shutil.copytree(package, place, copy_function=link_or_copy, ignore=_COMPILED)
        else:
            link_or_copy(str(package), str(place))
    return installation.inside(modules)


def link_or_copy(source: str, target: str) -> None:
    """Have a file in a second place, for files that nobody changes."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


_COMPILED: Final = shutil.ignore_patterns("__pycache__")
