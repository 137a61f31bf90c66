"""Programs that run where the `bpy` module is, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

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


def run_in_bpy(program: str, **environment: str) -> str:
    """Run a program where `bpy` is and return what it printed."""
    finished = subprocess.run(
        [sys.executable, "-c", PROLOGUE + program],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, **environment},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout
