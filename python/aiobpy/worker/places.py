"""Where a worker finds the files that jobs name: inputs that were sent, and folders to read in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INPUT = "input:"
"""What the name of an input begins with; the BLAKE3 hash of its bytes follows."""
INPUT_PATTERN = "^input:[0-9a-f]{64}$"


@dataclass
class Places:
    """The folders that the supervisor has told of."""

    inputs: Path | None = None
    """`<first two digits>/<hash>`: files that clients have sent."""
    roots: list[Path] = field(default_factory=list)
    """Folders in which jobs may name files by their path."""
    trusted: list[Path] = field(default_factory=list)
    """Python files, and folders of them, whose functions jobs may call."""

    def input(self, name: str) -> Path:
        """Return where an input is.

        Raises:
            ValueError: There is none of that name.
        """
        digits = name.removeprefix(INPUT)
        if self.inputs is None or not re.match(INPUT_PATTERN, name):
            msg = f"{name!r} is not the name of an input, as in 'input:2f0c…'"
            raise ValueError(msg)
        path = self.inputs / digits[:2] / digits
        if not path.is_file():
            msg = f"there is no input {name}; send the file again, inputs are not kept for ever"
            raise ValueError(msg)
        return path

    def readable(self, name: str) -> Path:
        """Return where a file is that is an input, or is named by its path in one of the roots.

        Raises:
            ValueError: It is not there, or is not in any of the roots.
        """
        if name.startswith(INPUT):
            return self.input(name)
        return _inside(name, self.roots, "a folder that jobs may read; see `--root`")

    def code(self, name: str) -> Path:
        """Return where a Python file is whose functions jobs may call.

        Raises:
            ValueError: It is not there, or is not trusted.
        """
        return _inside(name, self.trusted, "what is trusted; see `--trusted`")

    def may_read(self, path: Path) -> bool:
        """Whether jobs may read a file."""
        return any(path.resolve().is_relative_to(root.resolve()) for root in self.roots)


places = Places()
"""Those of this process."""


def _inside(name: str, folders: list[Path], what: str) -> Path:
    """Links are followed before a path is compared: none leads out."""
    for folder in folders:
        root = folder.resolve()
        path = root if root.is_file() and name in (root.name, str(root)) else root / name
        path = path.resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    msg = f"there is no file {name!r} in {what}"
    raise ValueError(msg)
