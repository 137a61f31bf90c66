"""Captions, as a person makes them: the editor stays free while another Blender renders."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import pytest

import aiobpy
from aiobpy import uitest
from aiobpy.ui import popups
from examples import captions
from examples.captions import making, strips


@contextmanager
def edited(width: int, height: int) -> Iterator[bpy.types.Scene]:
    """The add-on is enabled, and the largest area is the sequencer's."""
    captions.register()
    scene = strips.scene_of(bpy.context)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.fps = 4
    area = max(uitest.window().screen.areas, key=lambda area: area.width * area.height)
    before = area.type
    area.type = 'SEQUENCE_EDITOR'
    area.spaces.active.view_type = 'SEQUENCER_PREVIEW'
    try:
        yield scene
    finally:
        area.type = before
        captions.unregister()
        shutil.rmtree(Path(bpy.app.tempdir) / "captions", ignore_errors=True)


async def test_captions_land_on_a_channel_while_the_editor_stays_free() -> None:
    with edited(640, 360) as scene:
        every = strips.all_of(scene)
        scene.frame_set(5)
        place = uitest.centre('SEQUENCE_EDITOR')
        await uitest.move(*place)
        bpy.ops.sequencer.animated_captions('INVOKE_DEFAULT')
        await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
        await uitest.passes(3)
        await uitest.screenshot("captions-dialog.png")
        await uitest.press('RET')
        passes = 0
        while len(every) < 2:
            # Each is a pass of Blender's main loop, during which it answers its user.
            await uitest.passes(1)
            passes += 1
        assert passes > 30, "the editor stood still"
        first, second = sorted(every, key=lambda strip: strip.frame_final_start)
        assert (first.name, second.name) == ("One caption", "and the next")
        assert (first.frame_final_start, first.frame_final_end) == (5, 13)
        assert second.frame_final_start == 13
        assert first.channel == second.channel == 1
        assert first.blend_type == 'ALPHA_OVER'
        assert len(first.elements) == 8
        scene.frame_set(9)
        await uitest.passes(20)
        await uitest.screenshot("captions-strips.png")
        picture = bpy.data.images.load(str(Path(first.directory) / first.elements[4].filename))
        pixels = list(picture.pixels)
        bpy.data.images.remove(picture)
        alphas = pixels[3::4]
        assert 0.01 < sum(alphas) / len(alphas) < 0.5, "letters on nothing"
        assert max(pixels[0::4]) > 0.9, "and white ones"
        for strip in list(every):
            every.remove(strip)


async def test_whoever_cancels_has_no_strip_and_no_second_blender() -> None:
    with edited(64, 36) as scene:
        wanted = captions.Wanted("Never / to be / seen", 60.0)
        started = asyncio.Event()
        task = asyncio.ensure_future(captions.add_captions(wanted, lambda *_: started.set()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not len(strips.all_of(scene))


async def test_another_blender_of_the_same_kind_is_started() -> None:
    async with aiobpy.fleet.instance(modules=[making.STUDIO]) as other:
        assert other.blender_version == ".".join(map(str, bpy.app.version))
        assert "captions.render" in other.methods
        assert await other.run("os.path:basename", "/a/b") == "b"
    assert other.returncode == 0
