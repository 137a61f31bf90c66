"""The display that Blender's windows are on: one that nobody sees (Xvfb), or the person's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class Display:
    """An X server: our own, which chose a free number for itself, or one that was there before.

    Attributes:
        name: As in `:99`.
    """

    WIDTH, HEIGHT = 1280, 800

    def __init__(self, name: str, process: subprocess.Popen[bytes] | None = None) -> None:
        self._process = process
        self.name = name

    @classmethod
    def of_this_session(cls) -> Self:
        """Return the display that this process has, or start one if it has none."""
        name = os.environ.get("DISPLAY")
        return cls(name) if name else cls.start()

    @classmethod
    def start(cls) -> Self:
        """Start Xvfb and return when it accepts clients.

        Raises:
            RuntimeError: It is not installed, or does not start.
        """
        if shutil.which("Xvfb") is None:
            msg = "there is no display: install Xvfb (Debian: `apt install xvfb`) or set DISPLAY"
            raise RuntimeError(msg)
        reader, writer = os.pipe()
        screen = f"{cls.WIDTH}x{cls.HEIGHT}x24"
        process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", screen, "-nolisten", "tcp", "-ac"],
            pass_fds=[writer],
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        with os.fdopen(reader) as answer:
            number = answer.readline().strip()
        if not number:
            process.wait()
            msg = f"Xvfb ended with {process.returncode} before it listened"
            raise RuntimeError(msg)
        return cls(f":{number}", process)

    def is_ours(self) -> bool:
        """Return whether nobody else's windows are on it."""
        return self._process is not None

    def stop(self) -> None:
        """End the X server if it is ours."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def click(self, x: int, y: int) -> None:
        """Click with the left button, as a person would; `y` counts from the top."""
        self._run("xdotool", "mousemove", str(x), str(y), "click", "1")

    def move(self, x: int, y: int) -> None:
        """Move the pointer; `y` counts from the top."""
        self._run("xdotool", "mousemove", str(x), str(y))

    def screenshot(self, path: Path) -> None:
        """Save what is on the display."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._run("import", "-window", "root", str(path))

    def _run(self, *command: str) -> None:
        environment = {**os.environ, "DISPLAY": self.name}
        subprocess.run(command, check=True, env=environment, timeout=30)
