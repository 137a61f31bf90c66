"""The sidebar and the status bar: what runs, what has failed, and buttons for both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import bpy

import aiobpy
import aiobpy.server
from aiobpy import blender, uitest
from aiobpy.blender import tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

from contextlib import asynccontextmanager


@asynccontextmanager
async def sidebar() -> AsyncIterator[None]:
    """Register the panels, and open our tab of the viewport's sidebar."""
    for module in (blender.preferences, *blender._modules[1:]):
        module.register()
    await uitest.open_sidebar(tasks.CATEGORY)
    try:
        yield
    finally:
        for module in (*reversed(blender._modules[1:]), blender.preferences):
            module.unregister()


async def test_a_person_sees_a_task_and_cancels_it() -> None:
    async def render() -> None:
        aiobpy.set_progress(0.4, "Frame 12 of 30")
        await asyncio.Event().wait()

    # A test before may have left some of its own.
    aiobpy.set_progress(None)
    async with sidebar():
        with aiobpy.owner("bl_ext.user_default.teapots"):
            task = aiobpy.spawn(render(), name="Render Teapots")
            other = aiobpy.spawn(asyncio.Event().wait(), name="Wait for the Feed")
        await uitest.until(lambda: tasks.status_text() is not None)
        assert tasks.status_text() == "teapots: Render Teapots 40% · Frame 12 of 30"
        await uitest.until(lambda: tasks._status is not None)
        await uitest.passes(20)
        await uitest.screenshot("panel-task.png")
        await uitest.click(operator="aiobpy.task_cancel", area='VIEW_3D', region='UI')
        await uitest.until(lambda: task.done() or other.done())
        assert task.cancelled()
        assert not other.done()
        await uitest.until(lambda: tasks._status is None)
        other.cancel()


async def test_a_person_shares_the_server_pairs_a_device_and_sees_who_asks() -> None:
    server = aiobpy.server.start()
    try:
        async with sidebar():
            for panel in ("AIOBPY_PT_devices", "AIOBPY_PT_requests"):
                getattr(bpy.types, panel).bl_options = set()
            await uitest.passes(20)
            await uitest.click(operator="aiobpy.exec_toggle", area='VIEW_3D', region='UI')
            await uitest.until(lambda: server.allows_exec)
            bpy.ops.aiobpy.pair()
            assert server.pairing_remaining is not None
            await uitest.passes(50)
            await uitest.screenshot("panel-server.png")
    finally:
        aiobpy.server.stop()


async def test_a_person_is_told_of_a_failure_and_reads_its_traceback() -> None:
    async def fetch_the_feed() -> None:
        raise OSError("the feed is gone")

    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: told.append(context["message"])
    )
    async with sidebar():
        with aiobpy.owner("bl_ext.user_default.teapots"):
            aiobpy.spawn(fetch_the_feed(), name="Fetch the Feed")
        await uitest.until(lambda: tasks._told > 0)
        assert told == ["the task 'Fetch the Feed' of bl_ext.user_default.teapots failed"]
        await uitest.passes(1000)
        await uitest.screenshot("panel-failure.png")
        await uitest.click(operator="aiobpy.failure_show", area='VIEW_3D', region='UI')
        await uitest.until(lambda: len(bpy.data.texts) == 1)
        text = bpy.data.texts[0].as_string()
        assert text.startswith("Fetch the Feed (bl_ext.user_default.teapots)")
        assert "OSError: the feed is gone" in text
        assert "fetch_the_feed" in text
        await uitest.passes(20)
        await uitest.screenshot("panel-failure-text.png")
