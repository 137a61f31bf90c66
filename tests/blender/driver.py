"""Runs inside Blender: does, one after another, the steps that the test asks for over a socket.

A step is a generator that yields conditions. Between them Blender's own main loop runs; the step
goes on when the condition holds. So nothing here ever sleeps or blocks.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Condition = Callable[[], bool]
    Step = Generator[Condition, None, Any]

MODULE = "bl_ext.user_default.aiobpy"
CATEGORY = "aiobpy"


def ready() -> Step:
    """The window has been drawn."""
    yield lambda: bool(bpy.context.window_manager.windows)
    yield passes(10)
    return bpy.app.version_string


def enable() -> Step:
    """Tick the extension in the preferences."""
    yield passes(1)
    return sorted(bpy.ops.preferences.addon_enable(module=MODULE))


def disable() -> Step:
    """Untick the extension in the preferences."""
    yield passes(1)
    result = sorted(bpy.ops.preferences.addon_disable(module=MODULE))
    yield passes(10)
    return result


def update(package: str) -> Step:
    """Install the extension over itself while a task of it runs, as an update does."""
    import asyncio

    import aiobpy

    with aiobpy.owner(MODULE):
        task = aiobpy.spawn(asyncio.Event().wait())
    yield passes(5)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        result = bpy.ops.extensions.package_install_files(
            filepath=package, repo='user_default', enable_on_install=True, overwrite=True
        )
    yield task.done
    return [*result, task.cancelled()]


def save_preferences() -> Step:
    """Keep the extension enabled for the next start."""
    yield passes(1)
    return sorted(bpy.ops.wm.save_userpref())


def open_sidebar() -> Step:
    """Show our tab of the 3D viewport's sidebar; return the sidebar's rectangle."""
    area = view_3d()
    area.spaces.active.show_region_ui = True
    region = next(region for region in area.regions if region.type == 'UI')
    yield lambda: region.width > 1
    area.tag_redraw()
    yield passes(10)
    region.active_panel_category = CATEGORY
    yield lambda: region.active_panel_category == CATEGORY
    # Wide enough that nothing of ours is cut off.
    area.tag_redraw()
    yield passes(20)
    return {"x": region.x, "y": region.y, "width": region.width, "height": region.height}


def server_is_on() -> Step:
    """Whether the server is on, a few turns of Blender's main loop from now."""
    from aiobpy import server

    yield passes(8)
    return server.current() is not None


def clipboard_after(operator: str) -> Step:
    """What an operator of ours left on the clipboard."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        getattr(bpy.ops.aiobpy, operator)()
    yield passes(1)
    return bpy.context.window_manager.clipboard


def loop_is_alive() -> Step:
    """A coroutine that an add-on starts runs to its end."""
    import aiobpy

    async def answer() -> int:
        return 42

    task = aiobpy.spawn(answer())
    yield task.done
    return task.result()


def fetched_version(address: str, token: str) -> Step:
    """Which Blender this is, as our own server says, asked by `aiobpy.fetch`."""
    import aiobpy

    asking = aiobpy.fetch(f"{address}/api/v1/status", headers={"Authorization": f"Bearer {token}"})
    task = aiobpy.spawn(asking)
    yield task.done
    return task.result().json()["main_thread"]["blender_version"]


def offer_methods() -> Step:
    """Offer two methods, as an add-on does: one sync, one that awaits."""
    import asyncio

    import aiobpy

    @aiobpy.rpc(name="tests.move_cube")
    def move_cube(x: float) -> list[float]:
        """Move the cube and say where it is."""
        cube = bpy.data.objects["Cube"]
        cube.location.x = x
        return list(cube.location)

    @aiobpy.rpc(name="tests.file_name")
    async def file_name() -> str:
        """The open file, a moment later."""
        await asyncio.sleep(0)
        return str(bpy.data.filepath)

    yield passes(1)


def load_a_file(path: str) -> Step:
    """Save a file, and open it."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.save_as_mainfile(filepath=path)
    yield passes(1)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.open_mainfile(filepath=path)
    yield passes(10)
    return bpy.data.filepath


def redrawn() -> Step:
    """Everything has been drawn anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    yield passes(20)


def leftovers() -> Step:
    """Timers and classes of ours that Blender still knows."""
    yield passes(1)
    timers = [
        f"{thing.__module__}.{thing.__qualname__}"
        for thing in gc.get_objects()
        if callable(thing)
        and str(getattr(thing, "__module__", "")).startswith("aiobpy")
        and hasattr(thing, "__qualname__")
        and bpy.app.timers.is_registered(thing)
    ]
    classes = [name for name in dir(bpy.types) if name.startswith("AIOBPY")]
    return timers + classes


def quit_blender() -> Step:
    """Leave, as a person would."""
    answer({"result": None})
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.quit_blender()
    yield passes(1)


def view_3d() -> bpy.types.Area:
    """The 3D viewport of the first window."""
    areas = bpy.context.window_manager.windows[0].screen.areas
    return next(area for area in areas if area.type == 'VIEW_3D')


def passes(number: int) -> Condition:
    """True when Blender's main loop has gone round so often."""
    remaining = iter(range(number))
    return lambda: next(remaining, None) is None


def tick() -> float:
    """Go on with the step under way, or begin the next one that was asked for."""
    global step, condition
    try:
        if step is None:
            step = next_step()
        elif condition is None or condition():
            condition = next(step)
    except StopIteration as end:
        step = condition = None
        answer({"result": end.value})
    except Exception:
        step = condition = None
        answer({"error": traceback.format_exc()})
    return 0.0


def next_step() -> Step | None:
    """The step that the test asks for, if it asks for one."""
    global received
    try:
        more = wire.recv(65536)
    except BlockingIOError:
        return None
    if not more:
        # The test has gone, and nobody else would end this Blender.
        os._exit(1)
    received += more
    line, newline, rest = received.partition(b"\n")
    if not newline:
        return None
    received = rest
    question = json.loads(line)
    begun: Step = globals()[question["step"]](**question["arguments"])
    return begun


def answer(message: dict[str, Any]) -> None:
    """Tell the test. A message fits into the socket's buffer."""
    wire.sendall(json.dumps(message).encode() + b"\n")


wire = socket.socket(fileno=int(sys.argv[sys.argv.index("--") + 1]))
wire.setblocking(False)
received = b""
step: Step | None = None
condition: Condition | None = None
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(tick, first_interval=0.0, persistent=True)
