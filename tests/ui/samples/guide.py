"""What the guide to the interface says, tested: its code is the module `ui_page`."""

import asyncio
from pathlib import Path

import bpy
from ui_page import CHAIRS_OT_read, arrange, mark_places

from aiobpy import modal, uitest
from aiobpy.ui import files, popups


async def test_marks_are_put_where_one_clicks() -> None:
    marking = asyncio.ensure_future(mark_places())
    await uitest.until(lambda: "AIOBPY_OT_listen" in dict(modal.running_in(uitest.window())))
    x, y = uitest.centre()
    await uitest.click(x + 100, y)
    await uitest.click(x, y + 50)
    await uitest.press('ESC')
    await marking
    first, second = bpy.data.objects["Mark"], bpy.data.objects["Mark.001"]
    assert (first.location - second.location).length > 0.5
    assert bpy.context.object.name == "Cube", "the clicks have selected nothing"


async def test_chairs_are_arranged() -> None:
    arranging = asyncio.ensure_future(arrange())
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)
    await uitest.screenshot("dialog.png")
    await uitest.press('RET')
    await arranging
    chairs = [name for name in sorted(bpy.data.objects.keys()) if name.startswith("Chair of oak")]
    assert len(chairs) == 6


async def test_nobody_is_asked_twice_who_cancels() -> None:
    arranging = asyncio.ensure_future(arrange())
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)
    await uitest.press('ESC')
    await arranging
    assert len(bpy.data.objects) == 3


async def test_chairs_are_read_from_files() -> None:
    path = Path(bpy.app.tempdir) / "oak.txt"
    path.write_text("Oak Chair\n")
    bpy.utils.register_class(CHAIRS_OT_read)
    with bpy.context.temp_override(window=uitest.window()):
        bpy.ops.chairs.read('INVOKE_DEFAULT')
    await uitest.until(lambda: files._waiting)
    (request,) = files._waiting.values()
    # As if the person had chosen it.
    request.end([path])
    await uitest.until(lambda: "Oak Chair" in bpy.data.objects)
    await uitest.until(lambda: "CHAIRS_OT_read" not in dict(modal.running_in(uitest.window())))
    assert len(bpy.context.selected_objects) == 4
