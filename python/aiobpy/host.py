"""Who runs the loop: Blender's own main loop, or the loop itself.

The only module that decides how Blender comes back to us.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from aiobpy.loop import DEFAULT_BUDGET, EventLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

_T = TypeVar("_T")

_TICK_AGAIN = 0.0
"""Seconds until Blender is to call again: at its next pass, some 5 ms later when it idles."""


class GuiHost:
    """Runs a loop as a guest of Blender's main loop, by one `bpy.app.timers` callback.

    The callback is one plain function, kept for as long as the host runs: Blender finds a timer
    again by the identity of its function. It is persistent, so it lives through a file load.
    """

    def __init__(self, loop: EventLoop, budget: float = DEFAULT_BUDGET) -> None:
        """`budget`: seconds of one tick."""
        self.loop = loop
        self.budget = budget
        self.visits = 0
        """How often Blender has called, whether there was anything to do or not."""
        self._tick = self._make_tick()

    def start(self) -> None:
        """Begin to tick. Does nothing if it has begun."""
        import bpy

        if not self.is_running():
            bpy.app.timers.register(self._tick, first_interval=0.0, persistent=True)

    def stop(self) -> None:
        """Tick no more. Does nothing if it has stopped."""
        import bpy

        if self.is_running():
            bpy.app.timers.unregister(self._tick)

    def is_running(self) -> bool:
        """Return whether Blender calls."""
        import bpy

        return bool(bpy.app.timers.is_registered(self._tick))

    def _make_tick(self) -> Any:
        def tick() -> float | None:
            self.visits += 1
            if self.loop.is_closed():
                return None
            # A callback may make Blender run its timers, as an operator with a dialog does, or
            # another add-on's loop may: the tick around this one goes on when that is done.
            if asyncio._get_running_loop() is not None:
                return _TICK_AGAIN
            # Blender drops a timer that raises, and ends with one that exits: nothing may get out.
            try:
                self.loop.run_ready(self.budget)
            except BaseException as error:
                self.loop.call_exception_handler(
                    {"message": "a tick of the loop was cut short", "exception": error}
                )
            return _TICK_AGAIN

        return tick


class BackgroundHost:
    """Runs a loop where Blender has no main loop: in `blender -b` and in the `bpy` module.

    While nothing is ready the main thread parks in Rust, with the GIL released.
    """

    def __init__(self, loop: EventLoop) -> None:
        self.loop = loop

    def run(self, awaitable: Awaitable[_T]) -> _T:
        """Run until a coroutine or a task ends and return its result."""
        return self.loop.run_until_complete(awaitable)


_loop: EventLoop | None = None
_gui_host: GuiHost | None = None
_tasks: set[asyncio.Task[Any]] = set()


def loop() -> EventLoop:
    """Return the loop that all add-ons of this process share; the first call makes it."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = EventLoop()
    return _loop


def ticked_loop() -> EventLoop:
    """Return the shared loop; in a Blender with windows, have Blender tick it from now on."""
    if has_main_loop():
        gui_host().start()
    return loop()


def gui_host() -> GuiHost:
    """Return the host that Blender's main loop ticks; the first call makes it."""
    global _gui_host
    if _gui_host is None or _gui_host.loop is not loop():
        _gui_host = GuiHost(loop())
    return _gui_host


def has_main_loop() -> bool:
    """Return whether this is a Blender with windows, and so with a main loop of its own."""
    # In Blender the module is there from the start; elsewhere, loading it would make a Blender.
    bpy = sys.modules.get("bpy")
    return bpy is not None and not bpy.app.background


def spawn(coroutine: Coroutine[Any, Any, _T], *, name: str | None = None) -> asyncio.Task[_T]:
    """Start a task on the shared loop, from any operator, handler or panel, and return it.

    In a Blender with windows it runs from the next tick on; elsewhere when the loop runs
    (`aiobpy.run`). The task is kept alive until it ends.
    """
    task = ticked_loop().create_task(coroutine, name=name)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


def run(awaitable: Awaitable[_T]) -> _T:
    """Run the shared loop until a coroutine or a task ends and return its result.

    For `blender -b`, the `bpy` module and plain Python. In a Blender with windows it blocks the
    interface meanwhile: use `spawn` there.

    Raises:
        RuntimeError: The loop runs already, as inside a task: `await` the coroutine instead.
    """
    return BackgroundHost(loop()).run(awaitable)


def shut_down() -> None:
    """Cancel all tasks of the shared loop, give them a turn to clean up, and close it."""
    global _loop, _gui_host
    if _gui_host is not None:
        _gui_host.stop()
        _gui_host = None
    shared, _loop = _loop, None
    if shared is None or shared.is_closed():
        return
    remaining = asyncio.all_tasks(shared)
    for task in remaining:
        task.cancel()
    if remaining:
        shared.run_until_complete(asyncio.wait(remaining, timeout=_GOODBYE))
    shared.run_until_complete(shared.shutdown_asyncgens())
    shared.close()


_GOODBYE = 2.0
"""Seconds that cancelled tasks have for their `finally` blocks."""


@atexit.register
def _close_with_python() -> None:
    # Who uses aiobpy without its extension may not have shut it down. The tasks do not run any
    # more: by now Blender has freed what they would touch.
    if _loop is not None and not _loop.is_running():
        _loop.close()
