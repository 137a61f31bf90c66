"""The folders whose files clients of the web server may name: an allow-list, empty at first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def allow(folders: Iterable[str | os.PathLike[str]]) -> None:
    """Allow these folders, and all that is in them, in place of those that were allowed before.

    Raises:
        ValueError: One of them is not an absolute path.
    """
    global _allowed
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_absolute():
            msg = f"{str(path)!r} is not absolute: a folder of files begins with `/` or a drive"
            raise ValueError(msg)
    _allowed = tuple(paths)


def allowed() -> Sequence[Path]:
    """Return the folders, as they really are: symbolic links in them are followed."""
    return [Path(os.path.realpath(folder)) for folder in _allowed]


_allowed: tuple[Path, ...] = ()
