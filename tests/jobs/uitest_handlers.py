"""What Blender announces, on its threads and on ours."""

import asyncio
import tempfile
from pathlib import Path

import bpy

import aiobpy
from aiobpy import handlers, uitest


def installed() -> list[str]:
    """The lists that a callback of ours is in."""
    return [
        name
        for name in handlers.names()
        for one in getattr(bpy.app.handlers, name)
        if one.__module__ == "aiobpy.handlers" and handlers._sources[name].listeners
    ]


async def test_what_a_render_announces_on_its_own_thread_arrives_in_order() -> None:
    bpy.context.preferences.view.render_display_type = 'NONE'
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.frame_start, scene.frame_end = 4, 5
    scene.render.filepath = str(Path(tempfile.mkdtemp()) / "frame_")
    names = ("render_init", "render_pre", "render_post", "render_write", "render_complete")
    heard = []
    with handlers.every(*names) as fired:
        bpy.ops.render.render('INVOKE_DEFAULT', animation=True)
        async for event in fired:
            heard.append((event.handler, event.scene))
            if event.handler == "render_complete":
                break
    frame = [("render_pre", "Scene"), ("render_post", "Scene"), ("render_write", "Scene")]
    assert heard == [("render_init", "Scene"), *frame, *frame, ("render_complete", "Scene")]
    await uitest.until(lambda: not bpy.app.is_job_running('RENDER'))


async def test_a_listener_lives_through_a_file_load() -> None:
    with handlers.every("frame_change_post") as fired:
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        bpy.context.scene.frame_set(33)
        assert await anext(fired) == handlers.Fired("frame_change_post", "Scene", 33)


async def test_a_playback_is_followed_while_it_runs() -> None:
    with handlers.every("frame_change_post") as fired:
        bpy.ops.screen.animation_play()
        frames = [(await anext(fired)).frame or 0 for _ in range(5)]
        bpy.ops.screen.animation_cancel()
    assert frames == sorted(set(frames))


async def test_an_undo_by_key_is_heard_of() -> None:
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    await uitest.press("A")
    await uitest.until(lambda: len(bpy.context.selected_objects) == 3)
    undone = handlers.next("undo_post")
    await uitest.press("Z", ctrl=True)
    assert (await undone).scene == "Scene"


async def test_nothing_is_installed_when_nobody_listens() -> None:
    before = installed()
    waiting = asyncio.ensure_future(handlers.next("save_post"))
    listener = handlers.every("load_pre", "save_post")
    assert sorted(set(installed()) - set(before)) == ["load_pre", "save_post"]
    waiting.cancel()
    await asyncio.wait([waiting])
    del listener
    assert installed() == before
    ours = [one for one in bpy.app.handlers.save_post if one.__module__ == "aiobpy.handlers"]
    assert ours == []


async def test_a_person_saves_and_the_task_hears_where() -> None:
    path = Path(tempfile.mkdtemp()) / "by hand.blend"
    saved = handlers.next("save_post")
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    assert (await saved).path == str(path)
    assert (await aiobpy.save()).path == path
