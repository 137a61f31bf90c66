"""The sidebar and the status bar: what runs, what has failed, and buttons for both."""

from __future__ import annotations

import asyncio
import json
import tempfile
from typing import TYPE_CHECKING

import bpy
import pytest

import aiobpy
import aiobpy.server
from aiobpy import blender, uitest
from aiobpy.blender import sharing, tasks
from aiobpy.ui import popups

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


async def test_a_person_lets_programs_run_python_and_pairs_a_device() -> None:
    patched = pytest.MonkeyPatch()
    folder = tempfile.TemporaryDirectory()
    patched.setenv("XDG_CONFIG_HOME", folder.name)
    # Open at once: a click would have to find them.
    for panel in (sharing.AIOBPY_PT_devices, sharing.AIOBPY_PT_requests):
        patched.setattr(panel, "bl_options", set())
    server = aiobpy.server.start()
    try:
        async with sidebar():
            await uitest.passes(20)
            await uitest.click(operator="aiobpy.exec_toggle", area='VIEW_3D', region='UI')
            await uitest.until(lambda: server.allows_exec)
            await uitest.click(operator="aiobpy.pair", area='VIEW_3D', region='UI')
            await uitest.until(lambda: server.pairing_remaining is not None)
            await uitest.passes(50)
            await uitest.screenshot("panel-server.png")
            assert sharing._code is not None
            claim = asyncio.ensure_future(ask_to_pair(server, sharing._code.address))
            await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
            await uitest.passes(20)
            await uitest.screenshot("dialog-device.png")
            await uitest.press('RET')
            assert b" 201 " in await claim
            (device,) = aiobpy.server.devices()
            assert (device.name, device.scope) == ("iPad", "control")
            await uitest.passes(50)
            await uitest.screenshot("panel-device.png")
    finally:
        aiobpy.server.stop()
        patched.undo()
        folder.cleanup()


async def ask_to_pair(server: aiobpy.server.Server, address: str) -> bytes:
    """Ask as a device does, and return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = json.dumps({"code": address.partition("#")[2], "name": "iPad"})
    head = (
        f"POST /pair/claim HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write((head + body).encode())
    line = await reader.readline()
    writer.close()
    return line


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
