"""Renders beside the interface: what is written, what is told, and how they are stopped."""

import asyncio
import tempfile
from pathlib import Path

import bpy
import pytest

import aiobpy
from aiobpy import host, uitest
from aiobpy.jobs import stopping


@pytest.mark.parametrize("display", ['WINDOW', 'NONE'])
async def test_a_picture_is_written_while_the_interface_goes_on(display: str) -> None:
    scene = small(display, samples=2000)
    scene.render.filepath = "/somewhere/else"
    path = folder() / "picture.png"
    task = asyncio.create_task(aiobpy.render(write=path))
    ticks = 0
    while not task.done():
        await aiobpy.frame()
        ticks += 1

    rendered = await task

    assert rendered.paths == (path,)
    assert rendered.frames == 1
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]
    assert ticks > 3
    assert not stopping.is_rendering()
    assert scene.render.filepath == "/somewhere/else"
    assert scene.render.use_file_extension


async def test_a_person_sees_their_own_settings_while_it_renders() -> None:
    scene = small(samples=100_000)
    scene.render.filepath = "//mine"
    task = asyncio.create_task(aiobpy.render(write=folder() / "picture.png"))
    await uitest.until(stopping.is_rendering)
    await uitest.until(lambda: scene.render.filepath == "//mine")
    await cancelled(task)


async def test_an_animation_is_told_of_frame_by_frame() -> None:
    scene = small()
    scene.render.filepath = "//mine"
    scene.frame_set(9)
    told: list[aiobpy.jobs.RenderProgress] = []
    target = folder() / "frame_"

    rendered = await aiobpy.render(animation=range(3, 8, 2), write=target, on_progress=told.append)

    assert [path.name for path in rendered.paths] == [f"frame_000{n}.png" for n in (3, 5, 7)]
    assert rendered.frames == 3
    assert all(path.exists() for path in rendered.paths)
    fractions = [news.fraction or 0.0 for news in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {(news.frame, news.done) for news in told} >= {(3, 0), (5, 1), (7, 2), (7, 3)}
    assert (scene.frame_start, scene.frame_end, scene.frame_step) == (1, 250, 1)
    assert (scene.frame_current, scene.render.filepath) == (9, "//mine")


@pytest.mark.parametrize("display", ['WINDOW', 'NONE', 'AREA', 'SCREEN'])
async def test_cancelling_the_task_stops_the_render(display: str) -> None:
    scene = small(display, samples=100_000)
    known = [len(data) for data in (bpy.data.scenes, bpy.data.objects, bpy.data.cameras)]
    path = folder() / "picture.png"
    task = asyncio.create_task(aiobpy.render(write=path))
    await uitest.until(stopping.is_rendering)
    with aiobpy.handlers.every("render_complete", "render_cancel") as ends:
        await cancelled(task)
        heard = [(await anext(ends)) for _ in range(2)]
    assert {(fired.handler, fired.scene) for fired in heard} == {
        ("render_cancel", "Scene"),
        ("render_cancel", stopping.SCENE),
    }

    assert not stopping.is_rendering()
    assert not list(path.parent.iterdir())
    assert known == [len(data) for data in (bpy.data.scenes, bpy.data.objects, bpy.data.cameras)]
    assert not stopping._Engine.is_registered
    # It is still the same: no undo has replaced it.
    scene.cycles.samples = 1
    assert (await aiobpy.render(write=path)).paths == (path,)


async def test_cancelling_an_animation_keeps_what_is_complete() -> None:
    small(samples=100)
    target = folder() / "frame_"
    written = aiobpy.handlers.next("render_write")
    task = asyncio.create_task(aiobpy.render(animation=True, write=target))
    await written
    await cancelled(task)
    assert not stopping.is_rendering()
    assert list(target.parent.iterdir())
    assert all(path.read_bytes()[-8:-4] == b"IEND" for path in target.parent.iterdir())
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 250, 1)


async def test_a_window_that_a_person_closes_is_no_complete_picture() -> None:
    small('WINDOW', samples=100_000)
    path = folder() / "picture.png"
    task = asyncio.create_task(aiobpy.render(write=path))
    await uitest.until(stopping.is_rendering)
    with bpy.context.temp_override(window=stopping.window_of_render()):
        bpy.ops.wm.window_close()
    with pytest.raises(aiobpy.RenderStopped, match="by closing its window"):
        await task
    assert not list(path.parent.iterdir())


async def test_an_undo_is_no_complete_picture() -> None:
    small('NONE', samples=100_000)
    bpy.ops.ed.undo_push(message="Something")
    path = folder() / "picture.png"
    task = asyncio.create_task(aiobpy.render(write=path))
    await uitest.until(stopping.is_rendering)
    bpy.ops.ed.undo()
    with pytest.raises(aiobpy.RenderStopped, match="by an undo"):
        await task
    assert not list(path.parent.iterdir())


async def test_a_file_load_ends_it_and_the_task_hears_of_it() -> None:
    small('NONE', samples=100_000)
    task = asyncio.create_task(aiobpy.render())
    await uitest.until(stopping.is_rendering)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    with pytest.raises(aiobpy.RenderStopped, match="by a file load"):
        await task


async def test_a_second_render_is_refused_and_so_is_opening_a_file() -> None:
    small('NONE', samples=100_000)
    file = (await aiobpy.save(folder() / "scene.blend")).path
    task = asyncio.create_task(aiobpy.render())
    await uitest.until(stopping.is_rendering)
    with pytest.raises(aiobpy.RenderError, match="runs already"):
        await aiobpy.render()
    with pytest.raises(aiobpy.BlendFileError, match="would end it"):
        await aiobpy.open_file(file)
    await cancelled(task)


async def test_what_on_progress_raises_stops_the_render() -> None:
    small('NONE', samples=100_000)

    def fail(_news: object) -> None:
        raise KeyError("no such colour")

    with pytest.raises(KeyError, match="no such colour"):
        await aiobpy.render(on_progress=fail)
    assert not stopping.is_rendering()


async def test_disabling_the_add_on_stops_its_render() -> None:
    small('NONE', samples=100_000)
    with aiobpy.owner("my_addon") as owner:
        task = aiobpy.spawn(aiobpy.render())
    await uitest.until(stopping.is_rendering)
    bpy.app.timers.register(lambda: host.release(owner))
    await uitest.until(task.done)
    assert task.cancelled()
    await uitest.until(lambda: not stopping.is_rendering())


async def test_renders_are_stopped_again_and_again() -> None:
    small('NONE', samples=100_000)
    for passes in range(8):
        task = asyncio.create_task(aiobpy.render())
        await uitest.until(stopping.is_rendering)
        await uitest.passes(passes)
        await cancelled(task)
        assert not stopping.is_rendering()


async def cancelled(task: asyncio.Task[object]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), task


def small(display: str = 'NONE', samples: int = 1) -> bpy.types.Scene:
    """A scene that takes as long as it has samples."""
    bpy.context.preferences.view.render_display_type = display
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.cycles.samples = samples
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    return scene


def folder() -> Path:
    """An empty folder."""
    return Path(tempfile.mkdtemp())
