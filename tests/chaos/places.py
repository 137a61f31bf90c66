"""A small disk of its own, and a clock that can be set."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.chaos.sabotage import clock_file

if TYPE_CHECKING:
    from types import TracebackType

_MEBIBYTES: Final = 256
_LIBRARY: Final = "libfaketimeMT.so.1"


class Disk:
    """A folder on a file system of 256 MiB, in memory, which can be filled.

    Needs the right to mount, as root has it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"

    def __enter__(self) -> Self:
        self.folder.mkdir()
        options = f"size={_MEBIBYTES}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


def faked_clock(folder: Path) -> dict[str, str]:
    """Return the variables by which a process takes the calendar's time from a file."""
    (library,) = Path("/usr/lib").glob(f"*/faketime/{_LIBRARY}")
    clock_file(folder).write_text("+0\n")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock_file(folder)),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
