"""The loop, and listeners of which one fires per event."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import host, owners
from aiobpy.compat import current_loop
from aiobpy.ui import listening
from aiobpy.ui.listeners import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy import EventLoop
    from aiobpy.ui import Event


def get_event_loop() -> EventLoop:
    """Return the shared loop, which Blender runs from now on. Its `operator` has the listeners."""
    loop = current_loop.adopt()
    host.ticked_loop()
    if getattr(loop, "operator", None) is None:
        register()
        loop.operator = Bridge(loop)  # type: ignore[attr-defined]
    return loop


class BlenderListener:
    """Waits for one kind of event, again and again, until it is removed.

    Of all `BlenderListener`s, only the first that an event fits has it. To have several hear the
    same event, use `aiobpy.ui.events`.

    Args:
        event_type: As in `'SPACE'`; all types but timers if None.
        callback: Is asked whether an event fits.
        catch: Keep what fits from Blender.

    Attributes:
        event: The last event that was looked at: an `aiobpy.ui.Event`, which may be kept.
        flag: Is set from an event that fits until `wait()` returns.
        id: Its number at the bridge.
    """

    def __init__(
        self,
        event_type: str | None = None,
        callback: Callable[[Event], bool] | None = None,
        catch: bool = False,
    ) -> None:
        self.event_type = event_type
        self.callback = callback
        self.catch = catch
        self.event: Event | None = None
        self.flag = asyncio.Event()
        self.id = -1
        self.operator: Bridge = get_event_loop().operator  # type: ignore[attr-defined]
        self.operator.add_listener(self)
        self._forget = owners.current().on_release(self.remove)

    def check_event(self, event: Event) -> tuple[bool, bool]:
        """Return whether an event fits, and whether Blender is not to have it."""
        self.event = event
        if self.event_type is not None and event.type != self.event_type:
            return False, False
        return self.callback is None or bool(self.callback(event)), self.catch

    async def wait(self) -> None:
        """Wait for an event that fits; one that came since the last `wait` counts."""
        await self.flag.wait()
        self.flag.clear()

    def clear(self) -> None:
        """Forget the event that has come."""
        self.flag.clear()

    def remove(self) -> None:
        """Listen no more. Does nothing the second time."""
        self.operator.remove_listener(self)
        self._forget()


class Bridge:
    """Who listens: stands where `loop.operator` was the operator that ran the loop.

    Attributes:
        loop: The shared loop.
        listeners: By number, in the order in which they are asked.
        listener_id: The number of the next.
    """

    def __init__(self, loop: EventLoop) -> None:
        self.loop = loop
        self.listeners: dict[int, BlenderListener] = {}
        self.listener_id = 0
        self._ear: _Ear | None = None

    def add_listener(self, listener: BlenderListener) -> None:
        """Ask this one too."""
        if self._ear is None:
            self._ear = _Ear(self.listeners)
            listening.begin(self._ear)
        self.listeners[self.listener_id] = listener
        listener.id = self.listener_id
        self.listener_id += 1

    def remove_listener(self, listener: BlenderListener) -> None:
        """Ask this one no more."""
        self.listeners.pop(listener.id, None)
        if self._ear is not None and not self.listeners:
            listening.end(self._ear)
            self._ear = None


class _Ear(Listener):
    """Hears for all: one who fits has the event alone."""

    def __init__(self, listeners: dict[int, BlenderListener]) -> None:
        super().__init__()
        self._listeners = listeners

    def wants(self, kind: str, value: str) -> bool:
        if kind.startswith("TIMER"):
            return False
        return any(one.event_type in (None, kind) for one in self._listeners.values())

    def hear(self, event: Event) -> bool:
        for listener in list(self._listeners.values()):
            try:
                fits, is_caught = listener.check_event(event)
            except Exception as error:
                listener.remove()
                _report(error)
                continue
            if fits:
                listener.flag.set()
                self.swallow = is_caught
                return True
        return False


class AsyncioBridgeOperator(bpy.types.Operator):
    """Have Blender run asyncio's loop"""

    bl_idname = "bpy.start_asyncio_bridge"
    bl_label = "Start Asyncio Modal Operator"
    bl_options = {'INTERNAL'}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Return at once: there is nothing to be modal for."""
        get_event_loop()
        return {'FINISHED'}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """As `execute`."""
        return self.execute(context)


def register() -> None:
    """Register the operator. Does nothing if it is registered."""
    if not AsyncioBridgeOperator.is_registered:
        bpy.utils.register_class(AsyncioBridgeOperator)
        host.on_shut_down(unregister)


def unregister() -> None:
    """Unregister the operator. Does nothing if it is not registered."""
    with contextlib.suppress(RuntimeError):
        bpy.utils.unregister_class(AsyncioBridgeOperator)


def _report(error: Exception) -> None:
    context: dict[str, Any] = {"message": "a BlenderListener's callback failed", "exception": error}
    host.loop().call_exception_handler(context)


# Asked for the loop anywhere, asyncio has to give the shared one.
current_loop.adopt()
