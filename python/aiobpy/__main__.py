"""The command `aiobpy`; also `python -m aiobpy`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from aiobpy import _native


def main() -> None:
    """Run the command with the program's arguments, and exit."""
    # The command handles Ctrl-C itself: Python is not to raise it once more afterwards.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    package_dir = str(Path(__file__).resolve().parents[1])
    sys.exit(_native.cli(["aiobpy", *sys.argv[1:]], sys.executable, package_dir, sys.prefix))


if __name__ == "__main__":
    main()
