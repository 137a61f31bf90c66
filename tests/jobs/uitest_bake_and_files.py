"""Bakes beside the interface; files that are opened under a task's feet."""

import asyncio
import tempfile
from pathlib import Path

import bpy
import pytest

import aiobpy
from aiobpy import uitest


async def test_a_bake_runs_beside_the_interface() -> None:
    image = image_to_bake()
    ticks = 0
    task = asyncio.create_task(aiobpy.bake("Cube", type='DIFFUSE', pass_filter={'COLOR'}))
    while not task.done():
        await aiobpy.frame()
        ticks += 1
    assert (await task).objects == ("Cube",)
    assert max(image.pixels[:3]) > 0.5
    assert ticks > 1
    assert not bpy.app.is_job_running('OBJECT_BAKE')


async def test_cancelling_the_task_stops_the_bake_and_a_second_is_refused() -> None:
    image_to_bake(samples=100_000, side=64)
    task = asyncio.create_task(aiobpy.bake("Cube", type='DIFFUSE'))
    await uitest.until(lambda: bpy.app.is_job_running('OBJECT_BAKE'))
    with pytest.raises(aiobpy.BakeError, match="runs already"):
        await aiobpy.bake("Cube", type='DIFFUSE')
    ended = aiobpy.handlers.next("object_bake_complete", "object_bake_cancel")
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (await ended).handler == "object_bake_cancel"
    assert not bpy.app.is_job_running('OBJECT_BAKE')
    scene = bpy.context.scene
    scene.cycles.samples = 1
    await aiobpy.bake("Cube", type='DIFFUSE')


async def test_a_task_goes_on_in_the_file_that_it_opens() -> None:
    folder = Path(tempfile.mkdtemp())
    bpy.data.objects["Cube"].name = "Box"
    mine = bpy.data.objects["Box"]
    file = await aiobpy.save(folder / "box.blend")
    bpy.data.objects["Box"].name = "Other"
    loaded = aiobpy.handlers.next("load_post")

    assert (await aiobpy.open_file(file.path)).path == folder / "box.blend"

    assert (await loaded).path == str(folder / "box.blend")
    assert "Box" in bpy.data.objects
    with pytest.raises(ReferenceError):
        print(mine.name)
    await aiobpy.frame()
    # The context is that of the new file: operators work.
    bpy.ops.object.select_all(action='SELECT')
    assert len(bpy.context.selected_objects) == 3
    with pytest.raises(FileNotFoundError):
        await aiobpy.open_file(folder / "none.blend")


def image_to_bake(samples: int = 1, side: int = 16) -> bpy.types.Image:
    """An image that the default cube's material bakes into."""
    for area in uitest.window().screen.areas:
        # What is drawn by software holds up the main loop, and the bake would be over by then.
        area.ui_type = 'TEXT_EDITOR'
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = samples
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    image = bpy.data.images.new("Bake", side, side)
    tree = bpy.data.objects["Cube"].active_material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    tree.nodes.active = node
    return image
