"""Undo steps of tasks, beside a person who makes steps as well."""

import asyncio

import bpy
import pytest

import aiobpy
from aiobpy import main_loop, uitest


async def test_what_takes_many_frames_is_one_step() -> None:
    async with aiobpy.undo_step("Import"):
        for number in range(3):
            mesh = bpy.data.meshes.new(f"Part {number}")
            bpy.context.scene.collection.objects.link(bpy.data.objects.new(mesh.name, mesh))
            await aiobpy.frame()
    assert parts() == 3
    await undo_by_key()
    assert parts() == 0
    assert "Cube" in bpy.data.objects
    await redo_by_key()
    assert parts() == 3
    assert list(bpy.context.scene.keys()) == []


async def test_what_fails_is_rolled_back() -> None:
    bpy.context.scene.frame_set(7)
    bpy.ops.ed.undo_push(message="Frame")
    with pytest.raises(KeyError) as raised:
        async with aiobpy.undo_step("Import") as step:
            bpy.data.meshes.new("Part 1")
            bpy.data.objects["Cube"].location.x = 9
            await aiobpy.frame()
            raise KeyError("colour")
    assert step.rolled_back
    assert not hasattr(raised.value, "__notes__")
    assert "Part 1" not in bpy.data.meshes
    assert bpy.data.objects["Cube"].location.x == 0
    assert bpy.context.scene.frame_current == 7
    assert list(bpy.context.scene.keys()) == []


async def test_what_is_cancelled_is_rolled_back() -> None:
    async def build() -> None:
        async with aiobpy.undo_step("Import"):
            async for number in aiobpy.spread(range(1000), budget=0.0001):
                bpy.data.meshes.new(f"Part {number}")

    task = asyncio.create_task(build())
    await uitest.until(lambda: "Part 3" in bpy.data.meshes)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert [name for name in bpy.data.meshes.keys() if name.startswith("Part")] == []


async def test_a_step_that_a_person_makes_meanwhile_is_not_rolled_back() -> None:
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    with pytest.raises(KeyError) as raised:
        async with aiobpy.undo_step("Import"):
            bpy.data.objects["Cube"].location.x = 9
            await uitest.press("A")
            await uitest.until(lambda: len(bpy.context.selected_objects) == 3)
            raise KeyError("colour")
    assert "somebody has made a step meanwhile" in raised.value.__notes__[0]
    assert bpy.data.objects["Cube"].location.x == 9
    assert len(bpy.context.selected_objects) == 3
    assert list(bpy.context.scene.keys()) == []
    await undo_by_key()
    await undo_by_key()
    assert len(bpy.context.selected_objects) == 1
    assert bpy.data.objects["Cube"].location.x == 0
    await redo_by_key()
    assert list(bpy.context.scene.keys()) == []


async def test_a_transform_that_is_under_way_is_not_disturbed() -> None:
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    entered = asyncio.Event()

    async def work() -> None:
        async with aiobpy.undo_step("Import"):
            bpy.data.meshes.new("Part 1")
            entered.set()
            await asyncio.sleep(0)
            raise KeyError("colour")

    await uitest.press("G")
    await uitest.until(main_loop.is_in_hand)
    task = asyncio.create_task(work())
    await uitest.passes(20)
    assert not entered.is_set()
    await uitest.press('ESC')
    await asyncio.wait([task])
    assert "Part 1" not in bpy.data.meshes
    with pytest.raises(KeyError):
        task.result()


async def test_without_undo_in_the_preferences_it_stays_and_says_so() -> None:
    bpy.context.preferences.edit.use_global_undo = False
    try:
        with pytest.raises(KeyError) as raised:
            async with aiobpy.undo_step("Import"):
                bpy.data.objects["Cube"].location.x = 9
                raise KeyError("colour")
    finally:
        bpy.context.preferences.edit.use_global_undo = True
    assert "undo is off" in raised.value.__notes__[0]
    assert bpy.data.objects["Cube"].location.x == 9


async def undo_by_key() -> None:
    """Undo as a person does."""
    undone = aiobpy.handlers.next("undo_post")
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    await uitest.press("Z", ctrl=True)
    await undone


async def redo_by_key() -> None:
    """Redo as a person does."""
    redone = aiobpy.handlers.next("redo_post")
    await uitest.press("Z", ctrl=True, shift=True)
    await redone


def parts() -> int:
    """How many parts are in the scene."""
    return sum(name.startswith("Part") for name in bpy.context.scene.objects.keys())
