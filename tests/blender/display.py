"""A display of our own, that nobody sees: Xvfb."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class Display:
    """An X server that chose a free number for itself."""

    WIDTH, HEIGHT = 1280, 800

    def __init__(self, process: subprocess.Popen[bytes], number: int) -> None:
        self._process = process
        self.name = f":{number}"

    @classmethod
    def start(cls) -> Self:
        """Start Xvfb and return when it accepts clients."""
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
            raise RuntimeError(f"Xvfb ended with {process.returncode} before it listened")
        return cls(process, int(number))

    def stop(self) -> None:
        """End the X server."""
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
