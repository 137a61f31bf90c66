"""A real `blender --background`: no window, no main loop, a program's own end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.blender.conftest import display, installation
from tests.blender.gui_blender import install_libraries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.blender.gui_blender import Installation

__all__ = ["display", "installation"]

PROGRAM = '''
import tempfile
from pathlib import Path

import bpy

import aiobpy
from aiobpy import handlers

scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = 'CYCLES', 1
scene.cycles.use_denoising = False
scene.render.resolution_x = scene.render.resolution_y = 32


async def main():
    folder = Path(tempfile.mkdtemp())
    picture = await aiobpy.render(write=folder / "picture.png")
    assert picture.paths == (folder / "picture.png",)
    frames = await aiobpy.render(animation=range(1, 3), write=folder / "frame_")
    assert all(path.exists() for path in frames.paths)
    async with aiobpy.undo_step("Move"):
        bpy.data.objects["Cube"].location.x = 4
    try:
        async with aiobpy.undo_step("Move") as step:
            bpy.data.objects["Cube"].location.x = 5
            raise KeyError("colour")
    except KeyError:
        assert step.rolled_back and bpy.data.objects["Cube"].location.x == 4
    loaded = handlers.next("load_post")
    file = await aiobpy.save(folder / "scene.blend")
    await aiobpy.open_file(file.path)
    assert (await loaded).path == str(file.path)
    await aiobpy.idle()
    async with aiobpy.undo_step("After the load"):
        async for x in aiobpy.spread(range(3)):
            bpy.data.objects["Cube"].location.x = x
    # Nobody closes this: Blender ends with it.
    left.append(handlers.every("save_post"))


left = []
aiobpy.run(main())
print("to the end")
'''


@pytest.mark.blender
def test_jobs_run_without_windows(installation: Installation, tmp_path: Path) -> None:
    install_libraries(installation)
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    script_inside = installation.bring(script)
    printed = installation.run(
        *("--background", "--python-exit-code", "9", "--python", str(script_inside))
    )
    assert "to the end" in printed
