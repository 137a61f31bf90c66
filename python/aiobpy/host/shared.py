"""The one loop of a process: who starts work on it, and what ends with it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiobpy import owners, progress
from aiobpy.host import add_ons, ending, one_loop
from aiobpy.host.background import BackgroundHost
from aiobpy.host.gui import GuiHost
from aiobpy.host.shared_loop import SharedLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

_T = TypeVar("_T")

_DISABLED: Final = "its add-on was disabled"
_SHUT_DOWN: Final = "the loop is shut down"

_loop: SharedLoop | None = None
_gui_host: GuiHost | None = None
_tasks: set[asyncio.Task[Any]] = set()
_at_shut_down: list[Callable[[], object]] = []
_at_each_loop: list[Callable[[SharedLoop], object]] = []


def loop() -> SharedLoop:
    """Return the loop that all add-ons of this process share; the first call makes it.

    Raises:
        RuntimeError: Another copy of aiobpy runs the loop of this process.
    """
    global _loop
    if _loop is None or _loop.is_closed():
        one_loop.claim()
        _loop = SharedLoop()
        add_ons.watch(release)
        for function in _at_each_loop:
            function(_loop)
    return _loop


def ticked_loop() -> SharedLoop:
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
    (`aiobpy.run`). The task is kept alive until it ends, and belongs to the add-on that calls: it
    is cancelled when that is disabled.

    Args:
        coroutine: What calling an `async def` function returns.
        name: As the panel shows it; the function's own name if left out.

    Raises:
        TypeError: This is no coroutine.
        RuntimeError: This is not the main thread.
    """
    owner = owners.current()
    if not inspect.iscoroutine(coroutine):
        raise TypeError(_no_coroutine(coroutine, owner))
    shared = loop()
    try:
        shared.check_thread("start a task")
    except RuntimeError:
        coroutine.close()
        raise
    work, context = progress.begin(name or coroutine.__qualname__, owner)
    task = ticked_loop().create_task(coroutine, name=name, context=context)
    progress.note_task(task, work)
    _tasks.add(task)
    task.add_done_callback(_note_end)
    return task


def run(awaitable: Awaitable[_T]) -> _T:
    """Run the shared loop until a coroutine or a task ends and return its result.

    For `blender -b`, the `bpy` module and plain Python. In a Blender with windows it blocks the
    interface meanwhile: use `spawn` there.

    Raises:
        RuntimeError: The loop runs already, as inside a task: `await` the coroutine instead.
    """
    return BackgroundHost(loop()).run(awaitable)


def release(owner: owners.Owner) -> None:
    """End what an add-on has going on; its tasks have 2 s for their `finally` blocks.

    Within a task, as when one disables an add-on, nobody can wait: the tasks end soon after.
    """
    owner.let_go()
    shared = _loop
    if shared is None or shared.is_closed():
        return
    # At once: what it awaited may have ended with what was taken down, and it would go on.
    running = ending.cancel(owner.roots, _DISABLED)
    if asyncio._get_running_loop() is None:
        shared.run_until_complete(_end_owner(shared, owner, running))
        return
    work = _end_owner(shared, owner, running)
    task = shared.create_task(work, context=contextvars.Context())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _end_owner(
    shared: SharedLoop, owner: owners.Owner, running: set[asyncio.Task[Any]]
) -> None:
    await ending.wait(running, lambda: owner.tasks, _DISABLED)
    owner.close_things()
    shared.forget(owner)
    # What was closed hears of it.
    await asyncio.sleep(0)


def on_shut_down(function: Callable[[], object]) -> None:
    """Have `function()` called once, when the loop is shut down, the newest first.

    For what aiobpy itself has registered in Blender: classes, handlers, timers.
    """
    _at_shut_down.append(function)


def on_each_loop(function: Callable[[SharedLoop], object]) -> None:
    """Have `function(loop)` called with the shared loop, at once if there is one.

    After a shut down it is called with the next.
    """
    _at_each_loop.append(function)
    if _loop is not None and not _loop.is_closed():
        function(_loop)


def shut_down() -> None:
    """Cancel all tasks of the shared loop, give them a turn to clean up, and close it."""
    global _loop, _gui_host
    if _gui_host is not None:
        _gui_host.stop()
        _gui_host = None
    add_ons.unwatch()
    shared, _loop = _loop, None
    try:
        if shared is not None and not shared.is_closed():
            _end_all(shared)
    finally:
        _take_down()
        one_loop.let_go()


def _end_all(shared: SharedLoop) -> None:
    roots: list[asyncio.Task[Any]] = []
    for owner in owners.everyone():
        owner.let_go()
        roots += owner.roots
    running = ending.cancel(roots, _SHUT_DOWN)
    everything = functools.partial(asyncio.all_tasks, shared)
    shared.run_until_complete(ending.wait(running, everything, _SHUT_DOWN))
    for owner in owners.everyone():
        owner.close_things()
    shared.run_until_complete(shared.shutdown_asyncgens())
    shared.close()


def _take_down() -> None:
    while _at_shut_down:
        function = _at_shut_down.pop()
        try:
            function()
        except Exception:
            progress.log.exception("could not take down %r", function)


def _no_coroutine(given: object, owner: owners.Owner) -> str:
    if inspect.iscoroutinefunction(given):
        remedy = f"call it: `aiobpy.spawn({given.__name__}(...))`"
    elif inspect.isawaitable(given):
        remedy = "`await` it inside an `async def` function, and spawn that"
    else:
        remedy = "make the function `async def`, and pass what calling it returns"
    return f"{owner.short_name} gave `aiobpy.spawn` {given!r}, which is no coroutine; {remedy}"


def _note_end(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and task._exception is not None and not task.get_loop().is_closed():
        # Whoever awaits it hears of it in this turn.
        task.get_loop().call_soon(_report_if_nobody_knows, task)


def _report_if_nobody_knows(task: asyncio.Task[Any]) -> None:
    if not task._log_traceback:
        return
    task._log_traceback = False
    error = task._exception
    assert error is not None
    failure = progress.note_failure(task, error)
    task.get_loop().call_exception_handler(
        {
            "message": f"the task {failure.name!r} of {failure.owner} failed",
            "exception": error,
            "task": task,
        }
    )


@atexit.register
def _close_with_python() -> None:
    # Who uses aiobpy without its extension may not have shut it down. The tasks do not run any
    # more: by now Blender has freed what they would touch.
    if _loop is not None and not _loop.is_running():
        if not _blender_has_freed_its_classes():
            with contextlib.suppress(Exception):
                _take_down()
        # What Blender's own scripts hold of us, and we of tasks and handlers, would keep the `bpy`
        # module alive: Blender would not be ended with Python but after it, and crash or hang.
        add_ons.unwatch()
        _tasks.clear()
        _loop.set_exception_handler(None)
        # No child process outlives us, and none asks a closed loop to let it go.
        for owner in owners.everyone():
            owner.close_things()
        _loop.close()


def _blender_has_freed_its_classes() -> bool:
    # The program does so before Python's end, and crashes if they are unregistered then; the
    # module after it, and crashes or hangs if they are not. What else is theirs is built into the
    # program alone; `bpy.app.module` is not there before Blender 4.4.
    return "mathutils" in sys.builtin_module_names
