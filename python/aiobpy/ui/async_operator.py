"""`aiobpy.AsyncOperator`: an operator that awaits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
from typing import TYPE_CHECKING, Any, Final

import bpy
from bpy.app.translations import pgettext_iface as translated

from aiobpy import host, owners, progress
from aiobpy.ui import windows

if TYPE_CHECKING:
    from collections.abc import Coroutine

_SOON: Final = 0.001
"""Seconds after which Blender hears that the work has ended."""
_PATIENCE: Final = 1.0
"""Seconds that Blender has to hear of it: its operator may have been unregistered."""


class AsyncOperator(bpy.types.Operator):
    """An operator whose work is a coroutine: derive from it, and write `async_execute`.

    From the interface it runs while Blender goes on: the status bar says how far it has come, Esc
    cancels it, and there is one undo step at its end. Called from a script without
    `'INVOKE_DEFAULT'`, and where Blender has no windows, it runs to its end. An exception becomes
    Blender's error report, and the panel has its traceback.

    A subclass that defines `__init__` passes all it gets on to `super().__init__`. After a file
    load the operator is gone: its coroutine is cancelled, and must not touch `self` any more.
    """

    bl_options = {'REGISTER', 'UNDO'}

    async def async_execute(self, context: bpy.types.Context) -> set[str] | None:
        """Do the work. To be written by you.

        Returns:
            What an operator's `execute` returns; None for `{'FINISHED'}`.
        """
        msg = f"{type(self).__qualname__} has no `async def async_execute(self, context)`"
        raise NotImplementedError(msg)

    def progress(self, fraction: float | None, text: str = "") -> None:
        """Say how far the work has come: in the status bar, and in the panel.

        Args:
            fraction: From 0 to 1; None if nobody knows.
            text: What it does just now, in few words.
        """
        progress.set_progress(fraction, text)
        self._run.show(fraction, text)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begin, and go on while Blender does."""
        if not host.has_main_loop():
            return self.execute(context)
        return self._begin(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run to the end. Within a task, where nobody may wait, go on as if from the interface."""
        if asyncio._get_running_loop() is None:
            self._run = _Run(self, context)
            self._run.start(self.async_execute(context))
            with contextlib.suppress(asyncio.CancelledError):
                host.run(self._run.task)
            self._run.remove_timer()
            return self._run.report(self)
        if host.has_main_loop():
            return self._begin(context)
        msg = (
            f"{self.bl_idname} cannot run inside a task in a Blender without windows: the task"
            " would wait for itself; call it outside, or await what its `async_execute` does"
        )
        self.report({'ERROR'}, msg)
        return {'CANCELLED'}

    def modal(self, _context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Have the work go on until it ends; Esc cancels it."""
        if self._run.task.done():
            self._run.remove_timer()
            return self._run.report(self)
        if event.type == 'ESC' and event.value == 'PRESS':
            self._run.task.cancel("Esc was pressed")
            return {'RUNNING_MODAL'}
        return {'PASS_THROUGH'}

    def cancel(self, _context: bpy.types.Context) -> None:
        """A file is being loaded, or the window closed: the operator is about to be freed."""
        self._run.is_over = True
        self._run.task.cancel("its operator has ended")

    def _begin(self, context: bpy.types.Context) -> set[str]:
        self._run = _Run(self, context)
        self._run.start(self.async_execute(context))
        self._run.show(None, "")
        context.window_manager.modal_handler_add(self)
        return {'RUNNING_MODAL'}


class _Run:
    """What one run of an operator is about. It outlives the operator, which Blender may free."""

    task: asyncio.Task[None]

    def __init__(self, operator: AsyncOperator, context: bpy.types.Context) -> None:
        self.is_over = False
        self._label = operator.bl_label
        self._owner = owners.add_on_of(type(operator).__module__) or owners.current().name
        self._window = context.window.as_pointer() if context.window else 0
        self._timer: Any = None
        self._workspace = context.workspace.name if context.workspace else None
        self._text = ""
        self._result: set[str] = {'CANCELLED'}
        self._error: Exception | None = None

    def start(self, work: Coroutine[Any, Any, set[str] | None]) -> None:
        """Begin.

        Raises:
            TypeError: `async_execute` is no coroutine function.
        """
        if not inspect.iscoroutine(work):
            msg = f"{self._label}: `async_execute` is not `async def`, but gave {work!r}"
            raise TypeError(msg)
        with owners.owner(self._owner), windows.at_home_in(self._window):
            self.task = host.spawn(self._carry_out(work), name=self._label)
        self.task.add_done_callback(self._end, context=contextvars.Context())
        # Of a task that is cancelled before it has begun.
        self.task.add_done_callback(lambda _task: work.close())

    def remove_timer(self) -> None:
        """Blender has heard of the end, or nobody is there to hear."""
        timer, self._timer = self._timer, None
        if timer is not None and not self.is_over and windows.opened(self._window) is not None:
            bpy.context.window_manager.event_timer_remove(timer)

    def _end(self, _task: asyncio.Task[None]) -> None:
        """The work has ended: leave the status bar to others, and have Blender call `modal`."""
        if self in _shown:
            _shown.remove(self)
        self._write()
        window = windows.opened(self._window)
        if window is not None and not self.is_over:
            self._timer = bpy.context.window_manager.event_timer_add(_SOON, window=window)
            self.task.get_loop().call_later(_PATIENCE, self.remove_timer)

    async def _carry_out(self, work: Coroutine[Any, Any, set[str] | None]) -> None:
        try:
            self._result = await work or {'FINISHED'}
        except Exception as error:
            # Of a coroutine that touches its operator after Blender has freed it.
            if self.is_over and isinstance(error, ReferenceError):
                return
            self._error = error
            progress.note_failure(self.task, error, is_told=True)

    def report(self, operator: AsyncOperator) -> set[str]:
        """Tell Blender how it ended."""
        if self._error is not None:
            operator.report(
                {'ERROR'}, f"{self._label}: {self._error or type(self._error).__name__}"
            )
            return {'CANCELLED'}
        if not isinstance(self._result, set) or not self._result <= {'FINISHED', 'CANCELLED'}:
            operator.report(
                {'ERROR'},
                f"{self._label}: async_execute returned {self._result!r}; return {{'FINISHED'}},"
                " {'CANCELLED'} or nothing",
            )
            return {'CANCELLED'}
        return self._result

    def show(self, fraction: float | None, text: str) -> None:
        """Say in the status bar how far it has come."""
        percent = "" if fraction is None else f" {fraction:.0%}"
        what = f"  {text}" if text else ""
        self._text = f"{self._label}{percent}{what}   {translated('Esc: Cancel')}"
        if self not in _shown:
            _shown.append(self)
        self._write()

    def _write(self) -> None:
        workspace = bpy.data.workspaces.get(self._workspace) if self._workspace else None
        if workspace is not None and not bpy.app.background:
            others = [run._text for run in _shown if run._workspace == self._workspace]
            workspace.status_text_set(others[-1] if others else None)


_shown: list[_Run] = []
"""The newest is last: it has the status bar."""
