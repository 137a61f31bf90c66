"""Programs that run where the `bpy` module is, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROLOGUE = '''
import asyncio, os, sys
import bpy
import aiobpy
from aiobpy import host

def leave():
    """Past Blender's own end, which may hang or crash when Python callbacks are left."""
    sys.stdout.flush()
    os._exit(0)
'''

ROOT = Path(__file__).parents[2]


def pythons() -> dict[str, Path]:
    """Return the Pythons that have a `bpy` module, by its Blender's version."""
    return {
        "bpy-4.2": ROOT / ".venv-4.2/bin/python",
        "bpy-4.5": ROOT / ".venv-4.5/bin/python",
        "bpy-5.0": Path(sys.executable),
        "bpy-5.2": ROOT / ".venv-5.2/bin/python",
    }


def run_in_bpy(program: str, python: Path | None = None, **environment: str) -> str:
    """Run a program where `bpy` is and return what it printed.

    Args:
        program: After what every one begins with.
        python: If left out, that of these tests.
        environment: Variables to set.
    """
    finished = run_to_the_end(PROLOGUE + program, python, **environment)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def run_to_the_end(
    program: str, python: Path | None = None, *arguments: str | Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is."""
    return subprocess.run(
        [python or sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, **environment},
    )
