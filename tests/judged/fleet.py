"""`aiobpy serve` with a worker that only draws, for judges to try: `python -m tests.judged.fleet`.

Prints one line of JSON, with where it is and its token, and serves until its input ends.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.fleet.service import Service

STAND_IN = Path(__file__).parents[2] / "crates" / "fleet" / "tests" / "stand_in_worker.py"


def main() -> None:
    """Serve, say where, and wait for the end of the input."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mode = folder / "mode"
        mode.write_text("tame")
        blender = ("--blender", STAND_IN, "--package-dir", folder, "--no-builtins")
        service = Service(folder, *blender, "--templates", mode, "--workers", 2)
        try:
            # There is a template by then, and a job for what asks for one.
            service.story(service.submit("drawing", {}))
            address = f"http://{service.host}:{service.port}"
            print(json.dumps({"address": address, "token": service.token}), flush=True)
            sys.stdin.read()
        finally:
            service.end()


if __name__ == "__main__":
    main()
