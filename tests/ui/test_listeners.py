"""Who hears an event, and in which order."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from aiobpy.testing import FakeHost
from aiobpy.ui.listeners import KEPT, Listener, Listeners
from aiobpy.ui.plain_event import Event, NdofMotion, copy, under_cursor, unknown

SPACE = Event(type='SPACE', value='PRESS')


def _note(asked: list[str], name: str, _event: Event) -> None:
    asked.append(name)


def types(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_the_greater_priority_is_asked_first_and_equals_in_turn() -> None:
    asked: list[str] = []
    listeners = Listeners()
    for name, priority in (("low", -1), ("first", 0), ("second", 0), ("high", 5)):
        listeners.add(Listener(predicate=partial(_note, asked, name), priority=priority))
    assert not listeners.hear(SPACE), "all said no"
    assert asked == ["high", "first", "second", "low"]


def test_what_one_swallows_those_after_it_do_not_hear() -> None:
    listeners = Listeners()
    swallows = Listener(types('SPACE'), swallow=True, priority=1)
    other = Listener()
    listeners.add(other)
    listeners.add(swallows)
    assert listeners.hear(SPACE)
    assert not listeners.hear(replace(SPACE, type='A'))
    with FakeHost() as host:
        assert host.run(other.next()) == replace(SPACE, type='A')
        assert host.run(swallows.next()) == SPACE


def test_timers_are_wanted_by_name_only() -> None:
    assert not Listener().wants('TIMER', 'NOTHING')
    assert Listener().wants('MOUSEMOVE', 'NOTHING')
    assert Listener(types('TIMER')).wants('TIMER', 'NOTHING')


def test_a_slow_listener_loses_the_oldest() -> None:
    listener = Listener()
    for number in range(KEPT + 3):
        listener.hear(replace(SPACE, mouse_x=number))
    assert listener.missed == 3
    with FakeHost() as host:
        oldest = host.run(listener.next())
    assert oldest is not None
    assert oldest.mouse_x == 3


def test_what_was_heard_before_the_end_is_still_there() -> None:
    listener = Listener()
    listener.hear(SPACE)
    listener.close()
    assert not listener.hear(SPACE)
    with FakeHost() as host:
        assert host.run(listener.next()) == SPACE
        assert host.run(listener.next()) is None


def test_a_predicate_that_raises_ends_its_listener_and_no_other() -> None:
    listeners = Listeners()
    bad = Listener(predicate=lambda _event: 1 / 0, priority=1)
    good = Listener()
    listeners.add(bad)
    listeners.add(good)
    listeners.hear(SPACE)
    with FakeHost() as host:
        with pytest.raises(ZeroDivisionError):
            host.run(bad.next())
        assert host.run(bad.next()) is None
        assert host.run(good.next()) == SPACE


def test_two_tasks_cannot_share_a_listener() -> None:
    async def both() -> None:
        listener = Listener()
        first = asyncio.ensure_future(listener.next())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two tasks wait"):
            await listener.next()
        listener.hear(SPACE)
        assert await first == SPACE

    with FakeHost() as host:
        host.run(both())


def box(kind: str, x: int, y: int, width: int, height: int, *regions: Any) -> Any:
    return SimpleNamespace(type=kind, x=x, y=y, width=width, height=height, regions=regions)


def test_a_region_that_lies_on_the_main_one_is_under_the_cursor() -> None:
    main = box('WINDOW', 0, 0, 100, 100)
    sidebar = box('UI', 80, 0, 20, 100)
    hidden = box('TOOLS', 0, 0, 1, 100)
    areas = [
        box('OUTLINER', 100, 0, 50, 100),
        box('VIEW_3D', 0, 0, 100, 100, main, hidden, sidebar),
    ]
    assert under_cursor(areas, 90, 50) == (areas[1], sidebar)
    assert under_cursor(areas, 0, 50) == (areas[1], main)
    assert under_cursor(areas, 120, 50) == (areas[0], None)
    assert under_cursor(areas, 120, 150) == (None, None)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("enter", "'RET'"), ("1", "'ONE'"), ("LEFTMOSE", "'LEFTMOUSE'"), ("Space", "'SPACE'")],
)
def test_an_unknown_name_is_told_with_what_may_be_meant(asked: str, meant: str) -> None:
    known = ["SPACE", "RET", "LEFTMOUSE", "ONE"]
    assert f"did you mean {meant}" in unknown("type", asked, known)


def test_a_name_like_no_other_is_told_where_all_are_listed() -> None:
    assert "enum_items` lists them all" in unknown("type", "qqqqqq", ["SPACE"])


def blender_event(**changed: Any) -> Any:
    """What Blender gives: the values last until the operator returns."""
    plain = {field.name: getattr(SPACE, field.name) for field in fields(Event)}
    return SimpleNamespace(**{**plain, **changed})


def test_a_pen_and_a_3d_mouse_are_copied() -> None:
    region = box('WINDOW', 10, 20, 100, 100)
    window = SimpleNamespace(
        screen=SimpleNamespace(areas=[box('VIEW_3D', 10, 20, 100, 100, region)])
    )
    pen = blender_event(type='PEN', pressure=0.5, tilt=[0.25, -0.5], is_tablet=True, mouse_x=15)
    heard = copy(pen, window, 1)
    assert (heard.pressure, heard.tilt, heard.is_tablet) == (0.5, (0.25, -0.5), True)
    assert (heard.window, heard.area, heard.mouse_region_x) == (1, None, 15)

    motion = SimpleNamespace(translation=[1.0, 0.0, 0.0], rotation=[0.0, 0.5, 0.0], time_delta=0.01)
    puck = blender_event(type='NDOF_MOTION', ndof_motion=motion, mouse_x=15, mouse_y=30)
    heard = copy(puck, window, 0)
    assert heard.ndof == NdofMotion(
        translation=(1.0, 0.0, 0.0), rotation=(0.0, 0.5, 0.0), seconds=0.01
    )
    assert (heard.area, heard.region) == ('VIEW_3D', 'WINDOW')
    assert (heard.mouse_region_x, heard.mouse_region_y) == (5, 10)
    assert copy(blender_event(), window, 0).ndof is None, "before Blender 5.0"
