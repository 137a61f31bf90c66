"""How a loop gets its turns inside Blender: ours, and what add-ons do today."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import bpy


class Driver(Protocol):
    """A loop, and what runs it."""

    loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Have Blender run the loop."""

    def stop(self) -> None:
        """Have it run no more, and close it."""


class Ours:
    """`aiobpy`, as `aiobpy.spawn` has it."""

    def __init__(self) -> None:
        from aiobpy import host

        self._host = host
        self.loop: asyncio.AbstractEventLoop = host.loop()

    def start(self) -> None:
        """Tick."""
        self._host.gui_host().start()

    def stop(self) -> None:
        """Shut down."""
        self._host.shut_down()


class Kick:
    """asyncio's own loop, one turn at each visit of a timer: `stop()` and `run_forever()`."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        # Blender finds a timer again by the identity of its function.
        self._tick = self._make_tick()

    def start(self) -> None:
        """Register the timer."""
        bpy.app.timers.register(self._tick, persistent=True)

    def stop(self) -> None:
        """Remove it."""
        bpy.app.timers.unregister(self._tick)
        self.loop.close()

    def _make_tick(self) -> Any:
        def tick() -> float:
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
            return 0.0

        return tick


class Modal:
    """The same turn, from a modal operator with a timer of 10 µs: the Blender Cloud add-on's."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()

    def start(self) -> None:
        """Register the operator and run it."""
        _Kicker.loop = self.loop
        _Kicker.is_to_end = False
        bpy.utils.register_class(_Kicker)
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            bpy.ops.bench.kick_loop('INVOKE_DEFAULT')

    def stop(self) -> None:
        """Have it end at its next event."""
        _Kicker.is_to_end = True


class _Kicker(bpy.types.Operator):
    bl_idname = "bench.kick_loop"
    bl_label = "Kick the Loop"
    loop: Any = None
    is_to_end = False

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self._timer = context.window_manager.event_timer_add(0.00001, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {'RUNNING_MODAL'}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if _Kicker.is_to_end:
            context.window_manager.event_timer_remove(self._timer)
            bpy.app.timers.register(_Kicker.take_down)
            return {'FINISHED'}
        if event.type == 'TIMER':
            _Kicker.loop.call_soon(_Kicker.loop.stop)
            _Kicker.loop.run_forever()
        return {'PASS_THROUGH'}

    @classmethod
    def take_down(cls) -> None:
        bpy.utils.unregister_class(cls)
        cls.loop.close()


DRIVERS: dict[str, type[Driver]] = {"aiobpy": Ours, "kick": Kick, "modal": Modal}
