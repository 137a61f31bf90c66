"""The names of the Blender Cloud add-on's `async_loop`.

Change `from blender_cloud import async_loop` to `from aiobpy.compat import async_loop`. Blender's
main loop runs the tasks of all add-ons, and none has to be kicked; so what starts and stops the
loop here says only that this add-on has work for it.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import host, owners
from aiobpy.compat import current_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


def setup_asyncio_executor() -> None:
    """Have `loop.run_in_executor(None, …)` use ten threads, shared by all who call this."""
    global _loop_with_executor
    loop = current_loop.adopt()
    if _loop_with_executor is not loop:
        loop.set_default_executor(ThreadPoolExecutor(max_workers=10))
        _loop_with_executor = loop


def ensure_async_loop() -> None:
    """Have Blender run the tasks of the loop from now on.

    Without windows nobody does: await them with `aiobpy.run(task)`.
    """
    current_loop.adopt()
    host.ticked_loop()
    _users.add(owners.current())
    if not host.has_main_loop():
        log.warning(
            "Blender runs without windows, where only aiobpy.run(task) or"
            " loop.run_until_complete(task) runs a task"
        )


def kick_async_loop(*_arguments: Any) -> bool:
    """Run what is ready, without waiting for anything.

    Returns:
        Whether to stop: none of this add-on's tasks was under way, or the loop is closed. Within
        the loop's own callbacks this does nothing, and returns False.
    """
    loop = current_loop.adopt()
    if asyncio._get_running_loop() is not None:
        return False
    # One more turn when all is done: for the callbacks of what has been done.
    is_done = not _tasks_under_way()
    loop.run_ready()
    return is_done


def async_loop_handler() -> Callable[..., bool] | None:
    """Return `kick_async_loop` between `ensure_async_loop` and `stop_async_loop`, else None."""
    return kick_async_loop if owners.current() in _users else None


def stop_async_loop() -> None:
    """Say that this add-on has no more work for the loop; tasks under way go on."""
    _users.discard(owners.current())


def erase_async_loop() -> None:
    """As `stop_async_loop`."""
    stop_async_loop()


class AsyncLoopModalOperator(bpy.types.Operator):
    """Have Blender run the tasks of asyncio's loop"""

    bl_idname = "asyncio.loop"
    bl_label = "Runs the asyncio main loop"
    bl_options = {'INTERNAL'}

    timer = None
    log = logging.getLogger(f"{__name__}.AsyncLoopModalOperator")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Return at once: there is nothing to be modal for."""
        ensure_async_loop()
        return {'FINISHED'}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """As `execute`."""
        return self.execute(context)


class AsyncModalOperatorMixin:
    """A modal operator with a task: override `async_execute`, and call `quit()` to end.

    Without windows it blocks until the task has ended, and returns then.

    Attributes:
        async_task: The task under way, or the last one.
        signalling_future: Is cancelled when the task has to end; give it to what should hear of it.
        stop_upon_exception: Whether an exception in the task ends the operator.
    """

    async_task: asyncio.Future[Any] | None = None
    signalling_future: asyncio.Future[Any] | None = None
    stop_upon_exception = False
    timer: Any = None
    log = logging.getLogger(f"{__name__}.AsyncModalOperatorMixin")

    _state = 'INITIALIZING'
    # Blender evaluates the annotations of operators, so each name in them has to be there.
    _forget: Any = None

    async def async_execute(self, context: bpy.types.Context) -> None:
        """What the operator does. Override it."""

    def quit(self) -> None:
        """End the operator, and its task, at the next event."""
        self._state = 'QUIT'

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As `invoke`."""
        return self.invoke(context, None)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event | None) -> set[str]:
        """Start the task.

        Raises:
            RuntimeError: Blender has no windows, and the loop runs already.
        """
        if not host.has_main_loop():
            host.run(self.async_execute(context))
            return {'FINISHED'}
        manager = context.window_manager
        manager.modal_handler_add(self)
        self.timer = manager.event_timer_add(1 / 15, window=context.window)
        # Blender drops a running operator whose class is unregistered, without a word to it.
        self._forget = owners.current().on_release(lambda: self._finish(bpy.context))
        self._new_async_task(self.async_execute(context))
        return {'RUNNING_MODAL'}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look after the task."""
        task = self.async_task
        if self._state == 'QUIT':
            self._finish(context)
            return {'FINISHED'}
        if task is None or not task.done() or self._state == 'EXCEPTION':
            return {'PASS_THROUGH'}
        if task.cancelled():
            # By somebody else, as when the loop is shut down.
            self._finish(context)
            return {'CANCELLED'}
        if error := task.exception():
            self._state = 'EXCEPTION'
            self.log.error("Exception while running task: %s", error, exc_info=error)
            if self.stop_upon_exception:
                self._finish(context)
                return {'FINISHED'}
        return {'PASS_THROUGH'}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file is loaded, the window closes, Blender quits."""
        self._finish(context)

    def _finish(self, context: bpy.types.Context) -> None:
        self._stop_async_task()
        if self._forget is not None:
            self._forget()
        timer, self.timer = self.timer, None
        if timer is not None:
            context.window_manager.event_timer_remove(timer)

    def _new_async_task(
        self, async_task: Awaitable[Any], future: asyncio.Future[Any] | None = None
    ) -> None:
        """Cancel the task under way; start another one when that has ended."""
        previous = self._stop_async_task()
        loop = current_loop.adopt()
        self.signalling_future = loop.create_future() if future is None else future
        then = async_task if previous is None else _after(previous, async_task)
        self.async_task = asyncio.ensure_future(then, loop=loop)
        if asyncio.iscoroutine(async_task):
            # Cancelled before its turn came, it has not been awaited.
            self.async_task.add_done_callback(lambda _: async_task.close())
        ensure_async_loop()

    def _stop_async_task(self) -> asyncio.Future[Any] | None:
        """Cancel the task and return it if it is still to end. Blender goes on meanwhile."""
        task = self.async_task
        if task is None:
            return None
        if self.signalling_future is not None:
            self.signalling_future.cancel()
        if task.done():
            self._log_end(task)
            return None
        task.cancel()
        task.add_done_callback(self._log_end)
        return task

    @classmethod
    def _log_end(cls, task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and (error := task.exception()):
            cls.log.error("Exception from asynchronous task", exc_info=error)


def register() -> None:
    """Register the operator. Several add-ons may: the last to unregister takes it away."""
    global _registrations
    if not _registrations:
        bpy.utils.register_class(AsyncLoopModalOperator)
        host.on_shut_down(_unregister_for_all)
    _registrations += 1


def unregister() -> None:
    """Unregister the operator, if no other add-on needs it."""
    global _registrations
    stop_async_loop()
    if _registrations == 1:
        _unregister_for_all()
    else:
        _registrations = max(0, _registrations - 1)


def _unregister_for_all() -> None:
    global _registrations
    if _registrations:
        bpy.utils.unregister_class(AsyncLoopModalOperator)
    _registrations = 0


def _tasks_under_way() -> bool:
    """Return whether this add-on, or nobody in particular, has tasks."""
    others = {task for owner in owners.everyone() for task in owner.tasks}
    return not others.difference(owners.current().tasks).issuperset(asyncio.all_tasks(host.loop()))


async def _after(previous: asyncio.Future[Any], then: Awaitable[Any]) -> Any:
    await asyncio.wait([previous])
    return await then


_users: weakref.WeakSet[owners.Owner] = weakref.WeakSet()
_loop_with_executor: asyncio.AbstractEventLoop | None = None
_registrations = 0

# Asked for the loop anywhere, asyncio has to give the shared one.
current_loop.adopt()
