"""Small disks of their own, which can be filled, and a clock that can be set."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEBIBYTES: Final = 512
_LIBRARY: Final = "libfaketimeMT.so.1"


class NoDiskError(Exception):
    """This process may not mount."""


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 512 MiB, in memory, at a folder that is not there yet.

    Raises:
        NoDiskError: Only root, and what has its rights, can do it.
    """
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_MEBIBYTES}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoDiskError(f"`{' '.join(command)}` said: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def faked_clock(folder: Path) -> dict[str, str]:
    """Return the variables by which a process takes the calendar's time from a file.

    Raises:
        FileNotFoundError: libfaketime, of the package faketime, is not on this machine.
    """
    found = sorted(Path("/usr/lib").glob(f"*/faketime/{_LIBRARY}"))
    if not found:
        raise FileNotFoundError(f"there is no {_LIBRARY}: it is of the package faketime")
    clock_file(folder).write_text("+0\n")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock_file(folder)),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def clock_file(folder: Path) -> Path:
    """Return where a node's clock is set."""
    return folder / "clock"
