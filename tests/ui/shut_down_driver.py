"""Runs inside Blender: opens all that can be open, and shuts the loop down.

It is no task, which would not survive that: a generator that a timer goes on with when a condition
holds.
"""

from __future__ import annotations

import json
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any

import bpy

import aiobpy
from aiobpy import host, modal, ui
from aiobpy.ui import files, popups

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    Steps = Generator[Callable[[], bool], None, Any]


class TEST_OT_wait(aiobpy.AsyncOperator):
    bl_idname = "test.wait"
    bl_label = "Wait"

    async def async_execute(self, _context: bpy.types.Context) -> set[str] | None:
        self.progress(0.5, "half of it")
        await host.loop().create_future()
        return None


def shut_down_twice() -> Steps:
    """Return what became of the tasks, and what is left of us, each time."""
    told = []
    for opening in (open_popups, open_files):
        tasks = opening()
        yield lambda: any(popup.is_shown for popup in popups._open.values()) or bool(files._waiting)
        yield passes(10)
        host.shut_down()
        yield lambda: not leftovers()
        yield passes(10)
        told.append([[task.cancelled() for task in tasks], [*leftovers(), *popups._given_up]])
    return told


def open_popups() -> list[asyncio.Task[Any]]:
    """Popups one upon the other, somebody who listens, and an operator that awaits."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.test.wait('INVOKE_DEFAULT')
    asking = [ui.confirm("One?"), ui.menu(["two"]), ui.message("three"), ui.event(type='F20')]
    return [aiobpy.spawn(one) for one in asking]


def open_files() -> list[asyncio.Task[Any]]:
    """A file browser, and somebody who waits for it."""
    return [aiobpy.spawn(ui.pick_file()), aiobpy.spawn(ui.pick_directory())]


def leftovers() -> list[str]:
    """Return what of ours Blender still knows."""
    manager = bpy.context.window_manager
    return [
        *(name for name in dir(bpy.types) if name.startswith("AIOBPY")),
        *(name for window in manager.windows for name, _ in modal.running_in(window)),
        *(f.__module__ for f in bpy.app.handlers.load_post if "aiobpy" in f.__module__),
        *(["a second window"] if len(manager.windows) > 1 else []),
    ]


def passes(number: int) -> Callable[[], bool]:
    """Return what holds when Blender's main loop has gone round so often."""
    remaining = iter(range(number))
    return lambda: next(remaining, None) is None


def tick() -> float:
    """Go on if the condition holds; tell the test how it ends."""
    global steps, condition
    try:
        if steps is None:
            begin()
        elif condition():
            condition = next(steps)
    except StopIteration as end:
        tell({"result": end.value})
    except Exception:
        tell({"error": traceback.format_exc()})
    return 0.0


def begin() -> None:
    """Begin when the test asks, and leave when it hangs up."""
    global steps
    try:
        asked = wire.recv(65536)
    except BlockingIOError:
        return
    if not asked:
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            bpy.ops.wm.quit_blender()
    elif json.loads(asked)["step"] == "shut_down_twice":
        steps = shut_down_twice()
    else:
        # Quitting with all of it open is another test.
        open_popups()
        tell({"result": None})


def tell(answer: dict[str, Any]) -> None:
    """Answer, and be ready for the next question."""
    global steps, condition
    steps, condition = None, passes(0)
    wire.sendall(json.dumps(answer).encode() + b"\n")


wire = socket.socket(fileno=int(sys.argv[sys.argv.index("--") + 1]))
wire.setblocking(False)
steps: Steps | None = None
condition: Callable[[], bool] = passes(0)
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.use_save_prompt = False
bpy.utils.register_class(TEST_OT_wait)
bpy.app.timers.register(tick, persistent=True)
