"""Runs inside Blender, with windows or without: runs a guide's code, and tells what became of it.

It is a task of the shared loop like those of the guides, and hears of the test over a socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import traceback
from types import ModuleType
from typing import Any, Final

import bpy

import aiobpy
from aiobpy import host


async def run(name: str, code: str, environment: dict[str, str]) -> None:
    """Run a guide's code as a script on Blender's first scene; the task that it leaves goes on."""
    global guide
    for task in others():
        # Of a test that has failed.
        task.cancel()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    hide_viewports()
    os.environ.update(environment)
    reported.clear()
    guide = ModuleType(name)
    sys.modules[name] = guide
    exec(compile(code, name, "exec"), vars(guide))
    # What it needs to be ready for its peers, it does before it first waits.
    await asyncio.sleep(0)


async def finish(seconds: float) -> Any:
    """Wait for the end of the guide's task and return its result."""
    async with asyncio.timeout(seconds):
        result = await guide.task
    await check_that_nothing_is_left()
    return result


async def stop(seconds: float) -> None:
    """Cancel the guide's task, as one does when the add-on is disabled."""
    guide.task.cancel()
    async with asyncio.timeout(seconds):
        await asyncio.wait([guide.task])
    if not guide.task.cancelled():
        raise RuntimeError(f"ended before it was cancelled: {guide.task}")
    await check_that_nothing_is_left()


async def wait_until_it_listens(port: int, seconds: float) -> None:
    """Wait until the guide's server accepts connections."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                continue
            writer.close()
            return


async def evaluate(expression: str) -> Any:
    """Return the value of an expression, as in Blender's Python console."""
    return eval(expression, {"bpy": bpy, **vars(guide)})


async def python_version() -> tuple[int, int]:
    """As in 3, 13."""
    return sys.version_info[:2]


def leave() -> None:
    """End this Blender: one with windows as a person would, the module at once."""
    if bpy.app.background:
        sys.stdout.flush()
        # Past Blender's own end, which may hang or crash when Python callbacks are left.
        os._exit(0)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.quit_blender()


async def check_that_nothing_is_left() -> None:
    """Fail if the guide left a task behind, or if something went wrong that nobody awaited."""
    left = others()
    if left:
        # Those that a library has told to end have not all heard of it yet.
        _, left = await asyncio.wait(left, timeout=_GOODBYE)
    if left or reported:
        raise RuntimeError(f"tasks left: {left}; errors reported to the loop: {reported}")


def others() -> set[asyncio.Task[Any]]:
    """Return the tasks that are not the driver's."""
    return asyncio.all_tasks() - {serving}


async def serve() -> None:
    """Answer questions until the test hangs up: nobody else would end this Blender."""
    wire = socket.socket(fileno=int(sys.argv[-1]))
    reader, writer = await asyncio.open_connection(sock=wire)
    while line := await reader.readline():
        question = json.loads(line)
        answer: dict[str, Any]
        try:
            step = globals()[question["step"]]
            answer = {"result": await step(**question["arguments"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    writer.close()
    leave()


def hide_viewports() -> None:
    """Show text in their place: what is drawn by software holds up Blender's main loop."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.ui_type = 'TEXT_EDITOR'


_GOODBYE: Final = 5.0
"""Seconds that what a guide has begun may take to end."""

reported: list[str] = []
guide: Any = None
host.loop().set_exception_handler(lambda loop, context: reported.append(repr(context)))
serving = aiobpy.spawn(serve())
hide_viewports()
if bpy.app.background:
    aiobpy.run(serving)
