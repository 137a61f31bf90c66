"""Goes along with Blender's main loop: a frame, a calm moment, work spread over many frames.

Without windows Blender has no main loop of its own; there a turn of ours stands for a frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, Final, TypeVar

import bpy

from aiobpy import host, modal
from aiobpy.loop import DEFAULT_BUDGET

_Item = TypeVar("_Item")

SHORT_PASS: Final = 0.02
"""Seconds: Blender has not drawn or computed much in a pass that was shorter."""

_LOOK_AGAIN: Final = 0.05
"""Seconds between two looks at whether Blender has nothing to do. Looking at each pass would make
it go round faster, as for traffic."""


async def frame() -> None:
    """Wait until Blender's main loop has gone round once: it has handled events and drawn.

    Without windows it is a turn of the loop: what else is ready runs first.
    """
    gui = _host_that_ticks()
    if gui is None:
        await asyncio.sleep(0)
    else:
        await gui.next_visit()


async def idle() -> None:
    """Wait until Blender has nothing to do, and has been round at least once.

    That is: no animation plays, nobody is in the middle of a transform or another operator of
    Blender's own that takes all events, no job runs (a render, a bake, a preview), and the last
    pass was short. Operators of add-ons do not count: some, such as a display of keys, never end.

    Without windows Blender never does anything by itself: it is a turn of the loop.
    """
    await frame()
    while (gui := _host_that_ticks()) is not None:
        if gui.lateness.last < SHORT_PASS and not is_busy():
            return
        await asyncio.sleep(_LOOK_AGAIN)
        await frame()


def spread(
    items: Iterable[_Item] | AsyncIterable[_Item], budget: float | None = None
) -> AsyncIterator[_Item]:
    """Return the items one by one, as many per frame of Blender as there is time for.

    `async for item in aiobpy.spread(items): ...` works for `budget` seconds, then lets Blender go
    round once, and so on. An item that takes longer by itself is not interrupted. Cancelling the
    task, or `break`, ends it between two items, and closes an asynchronous generator.

    Args:
        items: Plain values. What is in Blender may be gone when the next frame comes: pass names.
        budget: Seconds per frame; left out, what the loop has for a tick: 4 ms, and less while an
            animation plays.

    Raises:
        TypeError: `items` cannot be iterated over, or is a collection of Blender's.
        ValueError: The budget is not positive.
    """
    if isinstance(items, bpy.types.bpy_prop_collection):
        msg = (
            "a collection of Blender's may change between two frames, and its iterator with it;"
            " spread the names, as in `[object.name for object in bpy.data.objects]`, and look each"
            " up when its turn comes"
        )
        raise TypeError(msg)
    given: object = items
    if not isinstance(given, (Iterable, AsyncIterable)):
        msg = f"spread works on an iterable, not on {items!r}"
        raise TypeError(msg)
    if budget is not None and budget <= 0:
        msg = f"the budget is seconds of work per frame, not {budget!r}; left out, it is 4 ms"
        raise ValueError(msg)
    return _spread(_asynchronous(items), budget)


def is_busy() -> bool:
    """Return whether Blender plays an animation, runs a job, or is in somebody's hands."""
    windows = bpy.context.window_manager.windows
    if any(window.screen.is_animation_playing for window in windows):
        return True
    return is_in_hand() or any(bpy.app.is_job_running(job) for job in _jobs())


def is_in_hand() -> bool:
    """Return whether an operator of Blender's own holds a window, as a transform does.

    Renders and bakes hold one too, but leave the person free.
    """
    return any(
        name not in _HANDS_OFF and not _is_of_an_add_on(name)
        for window in bpy.context.window_manager.windows
        for name, _ in modal.running_in(window)
    )


def with_a_window() -> contextlib.AbstractContextManager[Any]:
    """Return what gives an operator the first window where Blender's context has none.

    Where there is one it stays alone: after a file load an override would leave none behind.
    """
    windows = bpy.context.window_manager.windows
    if bpy.context.window is not None or not windows:
        return contextlib.nullcontext()
    override: contextlib.AbstractContextManager[Any] = bpy.context.temp_override(window=windows[0])
    return override


def is_ticked() -> bool:
    """Return whether Blender's main loop runs us, and goes on while we wait."""
    return _host_that_ticks() is not None


async def hands_off() -> None:
    """Wait until no operator of Blender's own holds a window."""
    while is_in_hand():  # noqa: ASYNC110 - Blender tells nobody when an operator ends
        await asyncio.sleep(_LOOK_AGAIN)


async def _spread(items: AsyncGenerator[_Item, None], budget: float | None) -> AsyncIterator[_Item]:
    async with contextlib.aclosing(items):
        share = _Share(budget)
        while True:
            # Before the item is fetched: none is lost if the task is cancelled here.
            await share.wait_if_used_up()
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            yield item


class _Share:
    """How much of a frame's time is left."""

    def __init__(self, budget: float | None) -> None:
        self._budget = budget
        self._begin()

    async def wait_if_used_up(self) -> None:
        """Wait for the next frame if the budget of this one is spent."""
        if self._visit != _visits():
            # Whoever works on the items has let Blender go round.
            self._begin()
        elif time.perf_counter() >= self._end:
            await frame()
            self._begin()

    def _begin(self) -> None:
        gui = _host_that_ticks()
        budget = self._budget
        if budget is None:
            budget = DEFAULT_BUDGET if gui is None else gui.present_budget()
        self._visit = _visits()
        self._end = time.perf_counter() + budget


async def _asynchronous(
    items: Iterable[_Item] | AsyncIterable[_Item],
) -> AsyncGenerator[_Item, None]:
    if not isinstance(items, AsyncIterable):
        for item in items:
            yield item
        return
    iterator = aiter(items)
    try:
        async for item in iterator:
            yield item
    finally:
        if close := getattr(iterator, "aclose", None):
            await close()


def _host_that_ticks() -> host.GuiHost | None:
    """Return the host whose tick runs us; None if the loop is run in another way."""
    if not host.has_main_loop():
        return None
    gui = host.gui_host()
    return gui if gui.is_visiting else None


def _visits() -> int:
    gui = _host_that_ticks()
    return 0 if gui is None else gui.visits


def _jobs() -> list[str]:
    """Return the kinds of jobs that this Blender can tell about."""
    if not _known_jobs:
        for job in ('RENDER', 'RENDER_PREVIEW', 'OBJECT_BAKE', 'COMPOSITE', 'SHADER_COMPILATION'):
            with contextlib.suppress(ValueError):
                bpy.app.is_job_running(job)
                _known_jobs.append(job)
    return _known_jobs


def _is_of_an_add_on(idname: str) -> bool:
    """Return whether an operator is written in Python: Blender's own modal ones are not."""
    kind: Any = getattr(bpy.types, idname, None)
    return kind is not None and kind.__module__ != "bpy.types"


_HANDS_OFF: Final = {"RENDER_OT_render", "OBJECT_OT_bake", "SCREEN_OT_animation_play"}
_known_jobs: list[str] = []
