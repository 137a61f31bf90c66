"""`ui.events` and `ui.event`: what a person does, heard in a task."""

import asyncio
from typing import Any

import bpy
import pytest

from aiobpy import modal, ui, uitest


def listens() -> list[bool]:
    """Whether our operator runs, for each window."""
    return [
        "AIOBPY_OT_listen" in dict(modal.running_in(window))
        for window in bpy.context.window_manager.windows
    ]


async def test_a_key_is_awaited_and_blender_has_it_too() -> None:
    waiting = asyncio.ensure_future(ui.event(type='A', value='PRESS'))
    await uitest.until(lambda: listens() == [True])
    await uitest.move(*uitest.centre())
    await uitest.press("A", shift=False)
    event = await waiting
    assert (event.type, event.value, event.area, event.region) == (
        'A',
        'PRESS',
        'VIEW_3D',
        'WINDOW',
    )
    assert (event.mouse_x, event.mouse_y) == uitest.centre()
    assert not event.shift
    assert event.pressure == 1.0
    await uitest.until(lambda: len(bpy.context.selected_objects) == 3)
    await uitest.until(lambda: listens() == [False])
    assert "AIOBPY_OT_listen" not in dir(bpy.types), "nobody listens any more"


async def test_what_is_swallowed_nobody_else_gets() -> None:
    heard: list[str] = []

    async def listen(name: str, **how: Any) -> None:
        async for event in ui.events(type={'A', 'B'}, value='PRESS', **how):
            heard.append(f"{name} {event.type}")  # noqa: PERF401 - while it goes on

    tasks = [
        asyncio.ensure_future(listen("last", priority=-1)),
        asyncio.ensure_future(
            listen("first", priority=1, swallow=True, predicate=lambda event: event.type == 'A')
        ),
        asyncio.ensure_future(listen("second")),
    ]
    await uitest.until(lambda: listens() == [True])
    await uitest.press("A")
    await uitest.press("B")
    await uitest.press("ESC")
    await uitest.until(lambda: len(heard) == 3)
    assert sorted(heard) == ["first A", "last B", "second B"]
    assert len(bpy.context.selected_objects) == 1, "Blender did not hear of the A"
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_file_load_and_a_new_window_change_nothing() -> None:
    with ui.events(type='SPACE', value='PRESS', swallow=True) as events:
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        await uitest.until(lambda: listens() == [True])
        await uitest.press('SPACE')
        assert (await anext(events)).window == 0
        bpy.ops.wm.window_new()
        await uitest.until(lambda: listens() == [True, True])
        await uitest.press('SPACE', in_window=1)
        assert (await anext(events)).window == 1
        with bpy.context.temp_override(window=uitest.window(1)):
            bpy.ops.wm.window_close()
        await uitest.until(lambda: listens() == [True])
    await uitest.until(lambda: listens() == [False])


async def test_a_loop_that_is_left_listens_no_more() -> None:
    waiting = asyncio.ensure_future(first_two())
    await uitest.until(lambda: listens() == [True])
    await uitest.press("X", shift=True)
    assert await waiting == ['PRESS', 'RELEASE']
    await uitest.until(lambda: listens() == [False])


async def first_two() -> list[str]:
    heard: list[str] = []
    async for event in ui.events(type='X', swallow=True):
        assert event.shift
        heard.append(event.value)
        if len(heard) == 2:
            break
    return heard


async def test_an_unknown_event_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(ValueError, match=r"'SPACEBAR' is no type .* did you mean 'SPACE'\?"):
        await ui.event(type="SPACEBAR")
    with pytest.raises(ValueError, match=r"'LEFTMOSE' is no type .* did you mean 'LEFTMOUSE'"):
        ui.events(type={'A', "LEFTMOSE"})
    with pytest.raises(ValueError, match=r"'PRESSED' is no value .* did you mean 'PRESS'"):
        ui.events(value="PRESSED")
    assert listens() == [False]


async def test_a_predicate_that_fails_ends_the_listening_with_its_error() -> None:
    waiting = asyncio.ensure_future(ui.event(type='A', predicate=lambda _event: 1 / 0))
    await uitest.until(lambda: listens() == [True])
    await uitest.press("A")
    with pytest.raises(ZeroDivisionError):
        await waiting
    await uitest.until(lambda: listens() == [False])
    await uitest.press("ESC")


async def test_timers_are_heard_by_name() -> None:
    timer = bpy.context.window_manager.event_timer_add(0.01, window=uitest.window())
    assert (await ui.event(type='TIMER')).type == 'TIMER'
    bpy.context.window_manager.event_timer_remove(timer)


async def test_an_operator_may_begin_to_listen_and_leave_it_to_a_task() -> None:
    class UITEST_OT_listen(bpy.types.Operator):  # type: ignore[misc]
        bl_idname = "uitest.listen"
        bl_label = "Listen"

        def execute(self, _context: bpy.types.Context) -> set[str]:
            streams.append(ui.events(type='F20', value='PRESS'))
            return {'FINISHED'}

    streams: list[ui.Events] = []
    bpy.utils.register_class(UITEST_OT_listen)
    # As a timer of Blender's, it is called outside of the loop.
    bpy.app.timers.register(lambda: bpy.ops.uitest.listen() and None)
    await uitest.until(lambda: listens() == [True])
    await uitest.press('F20')
    assert (await anext(streams[0])).type == 'F20'
    streams.clear()
    await uitest.until(lambda: listens() == [False])
    bpy.utils.unregister_class(UITEST_OT_listen)
