"""The importer, as a person uses it: whoever cancels one of its steps finds all as it was."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import bpy
import pytest
from aiohttp import web

from aiobpy import host, uitest
from aiobpy.ui import popups
from examples import workflow

FOLDER = Path("/tmp")
TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


@asynccontextmanager
async def meshes(gate: asyncio.Event) -> AsyncIterator[str]:
    """Serve meshes as soon as the gate is open."""

    async def answer(_request: web.Request) -> web.Response:
        await gate.wait()
        return web.Response(text=TRIANGLE)

    app = web.Application()
    app.router.add_get("/{name}.obj", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        gate.set()
        await runner.cleanup()


@contextmanager
def enabled() -> Iterator[None]:
    """The add-on is enabled."""
    workflow.register()
    try:
        yield
    finally:
        workflow.unregister()


def write_list(base: str, objects: int, **changes: Any) -> Path:
    """Write a list of two parts."""
    places = [[float(number % 50), float(number // 50), 0.0] for number in range(objects // 2)]
    parts = [
        {"name": name, "mesh": f"{name}.obj", "places": places, **changes}
        for name in ("Bolt", "Nut")
    ]
    path = FOLDER / "aiobpy-parts.json"
    path.write_text(json.dumps({"base": base, "parts": parts}))
    return path


def snapshot() -> list[list[str]]:
    """The names of all that there is."""
    kinds = (bpy.data.scenes, bpy.data.collections, bpy.data.objects, bpy.data.meshes)
    return [sorted(kind.keys()) for kind in kinds]


def browser() -> tuple[bpy.types.Window, bpy.types.Area] | None:
    """The file browser that is open, if one is."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'FILE_BROWSER' and area.spaces.active.active_operator is not None:
                return window, area
    return None


def start() -> None:
    """Choose the importer in the menu."""
    with bpy.context.temp_override(window=uitest.window()):
        bpy.ops.import_scene.parts('INVOKE_DEFAULT')


async def pick(path: Path | None) -> None:
    """Open a file in the file browser, or cancel that."""
    window, area = await uitest.until(browser)
    space = area.spaces.active
    await uitest.until(lambda: space.params is not None)
    region = next(region for region in area.regions if region.type == 'WINDOW')
    if path is not None:
        space.params.directory = str(path.parent).encode()
        space.params.filename = path.name
        await uitest.passes(5)
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.file.execute() if path is not None else bpy.ops.file.cancel()


def runs() -> bool:
    """Whether the importer is under way."""
    names = [operator.bl_idname for operator in uitest.window().modal_operators if operator]
    return "IMPORT_SCENE_OT_parts" in names


async def question() -> None:
    """The menu about a conflict is open."""
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)


async def test_a_list_is_imported_over_many_frames_and_undone_in_one_step() -> None:
    gate = asyncio.Event()
    gate.set()
    before = snapshot()
    async with meshes(gate) as base:
        with enabled():
            start()
            await pick(write_list(base, 3000))
            visits = host.gui_host().visits
            await uitest.until(lambda: not runs(), timeout=40)
            assert host.gui_host().visits - visits > 5
            for name in ("Bolt", "Nut"):
                assert len(bpy.data.collections[name].objects) == 1500
            await uitest.screenshot("workflow-imported.png")
            with bpy.context.temp_override(window=uitest.window()):
                bpy.ops.ed.undo()
            assert snapshot() == before


async def test_a_person_is_asked_about_what_is_there_already() -> None:
    gate = asyncio.Event()
    gate.set()
    bolt = bpy.data.collections.new("Bolt")
    bpy.context.scene.collection.children.link(bolt)
    async with meshes(gate) as base:
        with enabled():
            start()
            await pick(write_list(base, 20))
            await question()
            await uitest.screenshot("workflow-question.png")
            await uitest.click(operator="aiobpy.popup_choose(number=0)", popup=True)
            await uitest.until(lambda: not runs())
            assert sorted(bpy.context.scene.collection.children.keys()) == [
                "Bolt",
                "Collection",
                "Nut",
            ]
            assert len(bpy.data.collections["Bolt"].objects) == 10


@pytest.mark.parametrize("step", ["file", "download", "question", "building"])
async def test_whoever_cancels_finds_all_as_it_was(step: str) -> None:
    gate = asyncio.Event()
    if step != "download":
        gate.set()
    if step == "question":
        bpy.data.collections.new("Bolt").use_fake_user = True
    before = snapshot()
    async with meshes(gate) as base:
        with enabled():
            start()
            # Enough that somebody can cancel it while it is built.
            await pick(None if step == "file" else write_list(base, 40_000))
            if step == "download":
                await uitest.until(lambda: any(Path(bpy.app.tempdir).glob("*.part*")) or runs())
                await uitest.press('ESC')
            elif step == "question":
                await question()
                await uitest.press('ESC')
            elif step == "building":
                await uitest.until(lambda: "Bolt 0100" in bpy.data.objects)
                assert snapshot() != before
                await uitest.press('ESC')
            await uitest.until(lambda: not runs())
            assert snapshot() == before


async def test_another_file_may_be_opened_meanwhile() -> None:
    gate = asyncio.Event()
    async with meshes(gate) as base:
        with enabled():
            start()
            await pick(write_list(base, 100))
            await uitest.until(runs)
            bpy.ops.wm.read_homefile(use_factory_startup=True)
            before = snapshot()
            gate.set()
            await uitest.passes(20)
            assert snapshot() == before
            assert not runs()
