"""Blender's main loop as a task sees it."""

import asyncio

import bpy

import aiobpy
from aiobpy import host, main_loop, uitest


async def test_a_frame_is_a_pass_of_blenders_main_loop() -> None:
    gui = host.gui_host()
    for _ in range(3):
        visit = gui.visits
        await aiobpy.frame()
        assert gui.visits == visit + 1


async def test_all_that_wait_for_a_frame_go_on_in_the_same() -> None:
    visits = []

    async def note() -> None:
        await aiobpy.frame()
        visits.append(host.gui_host().visits)

    await asyncio.gather(*(note() for _ in range(20)))
    assert len(set(visits)) == 1


async def test_who_is_cancelled_while_it_waits_for_a_frame_does_no_harm() -> None:
    task = asyncio.ensure_future(aiobpy.frame())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await aiobpy.frame()


async def test_spread_lets_blender_go_round_between_two_shares() -> None:
    visits = []
    async for _ in aiobpy.spread(range(30), budget=0.001):
        visits.append(host.gui_host().visits)
        work(0.0004)
    shares = [visits.count(visit) for visit in sorted(set(visits))]
    assert sum(shares) == 30
    assert len(shares) >= 10
    assert max(shares) <= 3


async def test_idle_waits_for_the_end_of_a_playback() -> None:
    for area in uitest.window().screen.areas:
        # What is drawn by software holds up the main loop.
        area.ui_type = 'TEXT_EDITOR'
    bpy.ops.screen.animation_play()
    await uitest.until(main_loop.is_busy)
    waiting = asyncio.ensure_future(aiobpy.idle())
    await uitest.passes(20)
    assert not waiting.done()
    bpy.ops.screen.animation_play()
    await waiting
    assert not main_loop.is_busy()


async def test_idle_waits_for_the_end_of_a_transform() -> None:
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    await uitest.press("G")
    await uitest.until(main_loop.is_in_hand)
    waiting = asyncio.ensure_future(aiobpy.idle())
    await uitest.passes(20)
    assert not waiting.done()
    await uitest.press('ESC')
    await waiting
    assert not main_loop.is_in_hand()


def work(seconds: float) -> None:
    """Keep the main thread busy."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        pass
