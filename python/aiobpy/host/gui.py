"""The host inside a Blender with windows: Blender's main loop ticks ours."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiobpy._native import Ticker
from aiobpy.host import overrides, pace
from aiobpy.loop import DEFAULT_BUDGET, EventLoop

if TYPE_CHECKING:
    from aiobpy.host.window_timer import WindowTimer

_LOOK_AGAIN: Final = 0.05
"""Seconds after which what Blender is at is looked up anew."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long Blender stayed away, in seconds."""

    last: float
    worst: float


class GuiHost:
    """Runs a loop as a guest of Blender's main loop, by one `bpy.app.timers` callback.

    The callback is one object, kept for as long as the host runs: Blender finds a timer again by
    the identity of what it calls. It is persistent, so it lives through a file load. It runs no
    Python while there is nothing to do.

    Attributes:
        loop: The guest.
        budget: Seconds of one tick that a person prefers; `pace.budget` may give less.
        is_visiting: Whether a tick is under way.
        keeps_frame_rate: Whether the budget shrinks while Blender draws for somebody.
    """

    def __init__(self, loop: EventLoop, budget: float = DEFAULT_BUDGET) -> None:
        """`budget`: seconds of one tick."""
        self.loop = loop
        self.budget = budget
        self.keeps_frame_rate = True
        self.is_visiting = False
        self._waiting: list[asyncio.Future[None]] = []
        self._looked = 0.0
        self._blender = pace.Blender()
        self._traffic = pace.Traffic()
        self._window_timer: WindowTimer | None = None
        self._tick = Ticker(loop, self._visit)

    def start(self) -> None:
        """Begin to tick. Does nothing if it has begun."""
        import bpy

        from aiobpy.host.window_timer import WindowTimer

        if not self.is_running():
            self._window_timer = WindowTimer()
            self._tick.begin()
            bpy.app.timers.register(self._tick, first_interval=0.0, persistent=True)
            bpy.app.handlers.load_pre.append(_before_a_load)
            _hosts.append(self)

    def stop(self) -> None:
        """Tick no more. Does nothing if it has stopped."""
        import bpy

        if self.is_running():
            bpy.app.timers.unregister(self._tick)
            bpy.app.handlers.load_pre.remove(_before_a_load)
            _hosts.remove(self)
            self.rest()

    def is_running(self) -> bool:
        """Return whether Blender calls."""
        import bpy

        return bool(bpy.app.timers.is_registered(self._tick))

    def rest(self) -> None:
        """Let Blender come at its own pace."""
        if self._window_timer is not None:
            self._window_timer.stop()

    @property
    def visits(self) -> int:
        """How often Blender has called, whether there was anything to do or not."""
        return self._tick.visits

    @property
    def lateness(self) -> Lateness:
        """Seconds between two calls."""
        return Lateness(*self._tick.lateness)

    def next_visit(self) -> asyncio.Future[None]:
        """Return a future that is done when Blender calls again, after it has gone round once."""
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(future)
        self._tick.is_wanted = True
        return future

    def present_budget(self) -> float:
        """Return the seconds that the next tick may last."""
        return pace.budget(self.budget, self._blender) if self.keeps_frame_rate else self.budget

    def _visit(self, now: float, away: float) -> None:
        # A callback may make Blender run its timers, as an operator with a dialog does, or another
        # add-on's loop may: the tick around this one goes on when that is done.
        if asyncio._get_running_loop() is not None:
            return
        if self._waiting:
            self._wake_the_waiting()
        has_work = self.loop.has_ready()
        if has_work:
            self._blender.pass_seconds = away
            self._look_at_blender(now)
            self._run()
            now = time.monotonic()
        else:
            self.loop._note_idle_tick()
        self._ask_for_more(now, has_work)
        self._tick.is_wanted = bool(self._waiting) or not self._traffic.has_ended()

    def _wake_the_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _run(self) -> None:
        # Blender drops a timer that raises, and ends with one that exits: nothing may get out.
        self.is_visiting = True
        try:
            self.loop.run_ready(self.present_budget())
        except BaseException as error:
            self.loop.call_exception_handler(
                {"message": "a tick of the loop was cut short", "exception": error}
            )
        finally:
            self.is_visiting = False
        overrides.end_all()

    def _ask_for_more(self, now: float, found_work: bool) -> None:
        is_heavy = self._traffic.note(now, found_work)
        if self._window_timer is None or is_heavy == self._window_timer.is_running():
            return
        if is_heavy and not self._blender.is_animating:
            self._window_timer.start()
        else:
            self._window_timer.stop()

    def _look_at_blender(self, now: float) -> None:
        if now - self._looked < _LOOK_AGAIN:
            return
        import bpy

        self._looked = now
        windows = bpy.context.window_manager.windows
        self._blender.is_animating = any(window.screen.is_animation_playing for window in windows)


def _before_a_load(*_arguments: Any) -> None:
    for host in _hosts:
        host.rest()


# Blender keeps the plain functions that carry this through a file load.
_before_a_load._bpy_persistent = None  # type: ignore[attr-defined]
_hosts: list[GuiHost] = []
