"""The loop in a Blender with windows: its pace, its context, and what it outlives."""

from __future__ import annotations

import asyncio
import time

import bpy
import pytest

import aiobpy
from aiobpy import host, owners, uitest
from aiobpy.host import pace
from aiobpy.loop import DEFAULT_BUDGET


async def test_traffic_has_blender_come_more_often_and_its_end_lets_it_rest() -> None:
    timer = host.gui_host()._window_timer
    assert timer is not None

    async def chat() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while True:
            writer.write(b"x")
            await reader.readexactly(1)
            await asyncio.sleep(0.001)  # under test: traffic, again and again

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)

    chatting = aiobpy.spawn(chat())
    # Such waiting is work at each pass, too: so the traffic lasts until that has ended as well.
    await uitest.until(timer.is_running)
    chatting.cancel()
    await asyncio.sleep(0.5)  # under test: half a second without traffic
    assert not timer.is_running()


async def test_a_file_load_in_the_midst_of_traffic_does_no_harm() -> None:
    timer = host.gui_host()._window_timer
    assert timer is not None
    ticks = 0

    async def work() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def after(number: int) -> None:
        await uitest.until(lambda: ticks > number)

    working = aiobpy.spawn(work())
    for _ in range(3):
        await uitest.until(timer.is_running)
        with aiobpy.context():
            bpy.ops.wm.read_homefile(use_factory_startup=True)
        assert not timer.is_running()
        await after(ticks + 3)
    working.cancel()


async def test_operators_work_in_an_area_that_is_looked_up_at_each_use() -> None:
    view = aiobpy.context(area='VIEW_3D')
    for _ in range(2):
        with view:
            assert bpy.context.area.type == 'VIEW_3D'
            assert bpy.ops.view3d.view_all() == {'FINISHED'}
        await uitest.passes(2)
        with aiobpy.context():
            bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert bpy.context.area is None


async def test_an_area_that_is_not_there_is_an_error_in_words() -> None:
    with pytest.raises(LookupError, match=r"no area NODE_EDITOR; the areas .* VIEW_3D"):
        aiobpy.context(area='NODE_EDITOR').__enter__()


async def test_awaiting_in_a_context_is_an_error_and_blender_keeps_its_context() -> None:
    async def wait_within() -> None:
        with aiobpy.context(area='VIEW_3D'):
            await uitest.passes(2)

    with pytest.raises(RuntimeError, match="end the block before each `await`"):
        await wait_within()
    assert bpy.context.area is None


async def test_a_playing_animation_leaves_callbacks_a_small_part_of_its_frames() -> None:
    gui = host.gui_host()
    gui.budget = 1.0  # More than any share of a frame, however slowly this machine draws.
    with aiobpy.context(area='VIEW_3D'):
        bpy.ops.screen.animation_play()
    await uitest.until(lambda: gui._blender.is_animating)
    share = pace.BUSY_SHARE * gui._blender.pass_seconds
    assert gui.present_budget() == max(share, pace.LEAST_BUDGET) < 1.0
    with aiobpy.context(area='VIEW_3D'):
        bpy.ops.screen.animation_cancel()
    await uitest.until(lambda: not gui._blender.is_animating)
    gui.budget = DEFAULT_BUDGET


async def test_a_callback_that_takes_long_is_named_with_its_add_on() -> None:
    def be_slow() -> None:
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end:
            pass

    with aiobpy.owner("bl_ext.user_default.teapots"):
        asyncio.get_running_loop().call_soon(be_slow)
    await uitest.until(lambda: "teapots: " in host.loop()._status())
    assert "be_slow" in host.loop()._status()
    assert owners.current().name == owners.SCRIPTS


async def test_a_person_sees_the_longest_that_blender_stayed_away() -> None:
    assert host.gui_host().lateness.worst > 0


async def test_a_panel_that_waits_while_it_draws_is_told_off_and_blender_draws_on() -> None:
    errors: list[str] = []

    class TEST_PT_waits(bpy.types.Panel):
        bl_label, bl_space_type, bl_region_type = "Waits", 'VIEW_3D', 'UI'
        bl_category = "Item"

        def draw(self, _context: bpy.types.Context) -> None:
            try:
                aiobpy.run(asyncio.sleep(0))
            except RuntimeError as error:
                errors.append(str(error))
            self.layout.label(text="drawn all the same")

    bpy.utils.register_class(TEST_PT_waits)
    area = next(area for area in uitest.window().screen.areas if area.type == 'VIEW_3D')
    area.spaces.active.show_region_ui = True
    await uitest.until(lambda: errors)
    bpy.utils.unregister_class(TEST_PT_waits)
    assert "TEST_PT_waits.draw() cannot wait for anything: Blender is drawing" in errors[0]


async def test_an_operator_that_is_unregistered_while_it_runs_does_no_harm() -> None:
    class UITEST_OT_goes(bpy.types.Operator):
        """Go on for ever"""

        bl_idname = "uitest.goes"
        bl_label = "Go"

        def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
            context.window_manager.modal_handler_add(self)
            return {'RUNNING_MODAL'}

        def modal(self, _context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
            return {'PASS_THROUGH'}

    bpy.utils.register_class(UITEST_OT_goes)
    with bpy.context.temp_override(window=uitest.window()):
        bpy.ops.uitest.goes('INVOKE_DEFAULT')
    bpy.utils.unregister_class(UITEST_OT_goes)
    # It stays in the list until the next event.
    await aiobpy.idle()
    await uitest.passes(20)
    await uitest.move(*uitest.centre())
    await aiobpy.idle()
