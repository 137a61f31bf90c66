"""`ui.pick_file` and its kin: Blender's file browser, awaited."""

import asyncio
from pathlib import Path

import bpy
import pytest

from aiobpy import ui, uitest
from aiobpy.ui import files


def browser() -> tuple[bpy.types.Window, bpy.types.Area] | None:
    """The file browser that is open, if one is."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'FILE_BROWSER' and area.spaces.active.active_operator is not None:
                return window, area
    return None


async def do(name: str) -> None:
    """Press Open or Cancel in it."""
    await uitest.until(browser)
    # Blender crashes when Open is pressed before the browser has been drawn and its folder read.
    await uitest.passes(10)
    found = browser()
    assert found is not None
    window, area = found
    region = next(region for region in area.regions if region.type == 'WINDOW')
    with bpy.context.temp_override(window=window, area=area, region=region):
        getattr(bpy.ops.file, name)()


async def test_a_file_is_picked() -> None:
    picking = asyncio.ensure_future(ui.pick_file("Take It", filter="*.txt", start="/tmp/notes.txt"))
    await uitest.until(browser)
    await do("execute")
    assert await picking == Path("/tmp/notes.txt")


async def test_a_folder_is_picked() -> None:
    picking = asyncio.ensure_future(ui.pick_directory(start="/usr"))
    await do("execute")
    assert await picking == Path("/usr")


async def test_files_are_picked() -> None:
    picking = asyncio.ensure_future(ui.pick_files(start="/tmp/one.txt"))
    await do("execute")
    assert await picking == [Path("/tmp/one.txt")]


async def test_who_comes_second_waits_for_the_first() -> None:
    first = asyncio.ensure_future(ui.pick_file(start="/tmp/a.txt"))
    second = asyncio.ensure_future(ui.pick_file(start="/tmp/b.txt", save=True))
    await do("cancel")
    assert await first is None
    await do("execute")
    assert await second == Path("/tmp/b.txt")


@pytest.mark.parametrize("way", ["load", "task"])
async def test_it_resolves_when_it_is_closed_by_others(way: str) -> None:
    picking = asyncio.ensure_future(ui.pick_file())
    await uitest.until(browser)
    if way == "load":
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        assert await picking is None
    else:
        picking.cancel()
        await asyncio.wait([picking])
        assert picking.cancelled()
    await uitest.until(lambda: browser() is None)
    assert not files._waiting


async def test_a_browser_that_is_given_up_makes_room_for_the_next() -> None:
    first = asyncio.ensure_future(ui.pick_file(start="/tmp/a.txt"))
    second = asyncio.ensure_future(ui.pick_file(start="/tmp/b.txt"))
    await uitest.until(browser)
    await uitest.passes(3)
    first.cancel()
    await asyncio.wait([first])
    await uitest.passes(20)
    assert not second.done()
    await do("execute")
    assert await second == Path("/tmp/b.txt")
    await uitest.until(lambda: browser() is None)
