"""Programs in each `bpy` module: none has a window or a main loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.host.program import run_to_the_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROLOGUE = '''
import asyncio, os, sys
from pathlib import Path
import bpy
import aiobpy
from aiobpy import handlers, host

folder = Path(sys.argv[1])

def small(samples=1):
    """A scene that takes as long as it has samples."""
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.cycles.samples = samples
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    return scene

def ours():
    """The lists that a callback of ours is in."""
    return [
        name
        for name in handlers.names()
        for one in getattr(bpy.app.handlers, name)
        if one.__module__ == "aiobpy.handlers"
    ]

def cube():
    return bpy.data.objects["Cube"]
'''


@pytest.fixture
def run_in_bpy(python: Path, tmp_path: Path) -> Callable[[str], None]:
    """Run a program that asserts what it should, to its own end: nothing may crash or hang."""

    def run(program: str) -> None:
        program = PROLOGUE + program + "\nprint('to the end')"
        finished = run_to_the_end(program, python, tmp_path)
        printed = finished.stdout + finished.stderr
        assert "to the end" in finished.stdout, printed
        assert finished.returncode == 0, printed

    return run
