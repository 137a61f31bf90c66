import asyncio
import ctypes

import bpy
import pytest

from aiobpy import host


async def test_passes_before() -> None:
    assert bpy.context.scene


async def test_crashes() -> None:
    ctypes.string_at(0)


async def test_quits() -> None:
    bpy.ops.wm.quit_blender()


async def test_shuts_the_loop_down() -> None:
    bpy.app.timers.register(host.shut_down)
    await asyncio.Event().wait()


@pytest.mark.aiobpy_timeout(1)
async def test_freezes() -> None:
    while True:
        pass


async def test_passes_afterwards() -> None:
    assert bpy.context.scene
