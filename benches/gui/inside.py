"""Runs inside Blender: does what the benchmark asks for over a wire, one thing at a time.

A step is a generator that yields conditions; Blender's main loop runs until one holds.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

import bpy

sys.path.insert(0, sys.argv[sys.argv.index("--") + 2])

from benches.gui.drivers import DRIVERS
from benches.gui.servers import SERVERS
from benches.gui.traffic import Busy, Stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from benches.gui.drivers import Driver
    from benches.gui.servers import WebServer

    Step = Generator[Callable[[], bool], None, Any]

_LOOK = 0.02
"""Seconds between two looks at the wire and at conditions: next to nothing for Blender."""


def set_up(scene: str) -> Step:
    """Show text editors alone, or a light 3D viewport."""
    window = bpy.context.window_manager.windows[0]
    bpy.context.preferences.system.viewport_aa = 'OFF'
    for area in window.screen.areas:
        area.ui_type = 'TEXT_EDITOR'
    if scene == "view":
        area = max(window.screen.areas, key=lambda area: area.width * area.height)
        area.ui_type = 'VIEW_3D'
        area.spaces.active.overlay.show_overlays = False
        area.spaces.active.show_gizmo = False
    bpy.context.scene.render.fps = 240
    yield after(1.0)
    return bpy.app.version_string


def play(mode: str, seconds: float, port: int, connections: int) -> Step:
    """Play the animation with a loop's traffic beside it; return frames per second, and when."""
    driver, busy, task = begin(mode, port, connections)
    yield from until_busy(busy, task, connections)
    switch_playback()
    yield after(1.0)
    counted, began_at = count_frames(), time.monotonic()
    yield after(seconds)
    ended_at = time.monotonic()
    rate = counted[0] / (ended_at - began_at)
    bpy.app.handlers.frame_change_post.clear()
    switch_playback()
    yield from end(driver, task)
    return {
        "began": began_at,
        "ended": ended_at,
        "frames_per_second": rate,
        "connections": busy.open if busy else 0,
    }


def latency(mode: str, number: int, ports: dict[str, int], connections: int) -> Step:
    """Return how late so many callbacks came after their byte was sent, in seconds.

    Args:
        mode: The driver; `aiobpy+aiohttp` downloads as the others do.
        number: Of stamps.
        ports: Of the feeder.
        connections: Busy ones beside; none for a Blender that idles between two stamps.
    """
    driver, busy, task = begin(mode, ports["http"], connections)
    yield from until_busy(busy, task, connections)
    stamps = Stamps((0.001, 0.02) if connections else (0.2, 0.3))
    opening = driver.loop.create_task(
        driver.loop.create_connection(lambda: stamps, "127.0.0.1", ports["stamps"])
    )
    yield lambda: len(stamps.latencies) > number
    opening.result()[0].abort()
    yield from end(driver, task)
    return stamps.latencies[1:]


def idle(mode: str, seconds: float) -> Step:
    """Do nothing for a while, with a loop that has nothing to do or with none."""
    driver = None if mode == "none" else DRIVERS[mode]()
    if driver is not None:
        driver.start()
    yield after(2.0)
    before = time.process_time()
    began = time.monotonic()
    yield after(seconds)
    share = (time.process_time() - before) / (time.monotonic() - began)
    if driver is not None:
        driver.stop()
    yield after(0.2)
    return share


def serve(kind: str) -> Step:
    """Start a web server, and return its port."""
    global server
    server = SERVERS[kind]()
    yield lambda: server.port != 0
    return server.port


def stop_serving() -> Step:
    """Stop it."""
    global server
    if server is not None:
        server.stop()
    server = None
    yield after(0.3)


def frames(seconds: float) -> Step:
    """Play the animation, whatever goes on beside it, and return frames per second."""
    switch_playback()
    yield after(1.0)
    counted, began_at = count_frames(), time.monotonic()
    yield after(seconds)
    rate = counted[0] / (time.monotonic() - began_at)
    bpy.app.handlers.frame_change_post.clear()
    switch_playback()
    return rate


def begin(mode: str, port: int, connections: int) -> tuple[Driver, Busy | None, Any]:
    """Start a loop, and its traffic if there is to be some."""
    gc.collect()
    if mode == "none":
        return None, None, None  # type: ignore[return-value]
    driver = DRIVERS[mode.partition("+")[0]]()
    driver.start()
    if not connections:
        return driver, None, None
    busy = Busy(port, connections, natively=mode == "aiobpy")
    return driver, busy, driver.loop.create_task(busy.run())


def until_busy(busy: Busy | None, task: Any, connections: int) -> Step:
    """Wait until all connections have been answered."""
    if busy is None:
        return
    yield lambda: busy.open == connections or task.done()
    if task.done():
        task.result()


def end(driver: Driver | None, task: Any) -> Step:
    """Cancel the traffic and take the loop down."""
    if driver is None:
        return
    if task is not None:
        task.cancel()
        yield task.done
    driver.stop()
    yield after(0.3)


def switch_playback() -> None:
    """Play, or stop playing."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.animation_play()


def count_frames() -> list[int]:
    """Count the frames from now on."""
    counted = [0]

    def count(*_arguments: object) -> None:
        counted[0] += 1

    bpy.app.handlers.frame_change_post.append(count)
    return counted


def after(seconds: float) -> Callable[[], bool]:
    """True when so many seconds have gone by."""
    due = time.monotonic() + seconds
    return lambda: time.monotonic() >= due


def look() -> float:
    """Go on with the step under way, or begin the next one that was asked for."""
    global step, condition
    try:
        if step is None:
            step = next_step()
        if step is not None and (condition is None or condition()):
            condition = next(step)
    except StopIteration as ended:
        step = condition = None
        answer({"result": ended.value})
    except Exception:
        step = condition = None
        answer({"error": traceback.format_exc()})
    return _LOOK


def next_step() -> Step | None:
    """The step that is asked for, if one is."""
    try:
        line = wire.recv(65536)
    except BlockingIOError:
        return None
    if not line:
        os._exit(0)
    question = json.loads(line)
    asked: Step = globals()[question["step"]](**question["arguments"])
    return asked


def answer(message: dict[str, Any]) -> None:
    """Tell the benchmark."""
    wire.setblocking(True)
    wire.sendall(json.dumps(message).encode() + b"\n")
    wire.setblocking(False)


wire = socket.socket(fileno=int(sys.argv[sys.argv.index("--") + 1]))
wire.setblocking(False)
server: WebServer | None = None
step: Step | None = None
condition: Callable[[], bool] | None = None
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(look, first_interval=0.5, persistent=True)
