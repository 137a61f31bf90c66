"""Runs a kernel until its client or its notebook ends it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from typing import TYPE_CHECKING

import bpy

import aiobpy.host
from aiobpy.jupyter import pictures
from aiobpy.jupyter.context import push_undo, viewport_context
from aiobpy.jupyter.interrupts import Interrupts
from aiobpy.jupyter.kernel import KernelApp

if TYPE_CHECKING:
    from collections.abc import Callable


def alone(connection_file: str) -> None:
    """Run the kernel where Blender has no main loop, and return when it has ended."""
    kernel = aiobpy.host.spawn(serve(connection_file), name="Jupyter kernel")
    while not kernel.done():
        # An interrupt may end a task of the notebook, and with it this run of the loop.
        with contextlib.suppress(KeyboardInterrupt):
            aiobpy.host.loop().run_until_complete(kernel)


def as_guest(connection_file: str) -> asyncio.Task[None]:
    """Run the kernel in a Blender with windows, which ends with it; return at once."""
    return aiobpy.host.spawn(serve_and_quit(connection_file), name="Jupyter kernel")


async def serve_and_quit(connection_file: str) -> None:
    """Serve, then leave Blender as a person would."""
    try:
        await serve(connection_file, viewport_context, push_undo)
    except asyncio.CancelledError:
        # The loop ends, as when the extension is disabled; the person goes on.
        raise
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    with viewport_context():
        bpy.ops.wm.quit_blender()


async def serve(
    connection_file: str,
    step_context: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
    after_cell: Callable[..., None] | None = None,
) -> None:
    """Answer who knows the connection file, until a client or a cell ends the kernel.

    Args:
        connection_file: Written by Jupyter, which also removes it.
        step_context: In what Blender's context each step of a cell runs.
        after_cell: Called at the end of each cell.
    """
    app = KernelApp.instance(connection_file=connection_file)
    app.step_context = step_context
    app.initialize([])
    names = {"aiobpy": aiobpy, "bpy": bpy, "C": bpy.context, "D": bpy.data}
    app.shell.push(names, interactive=False)
    if after_cell:
        app.shell.events.register("post_run_cell", after_cell)
    pictures.register(app.shell.display_formatter)
    Interrupts(app.kernel).take()
    app.kernel.start()
    if app.poller is not None and bpy.app.background:
        # Without a window, nobody could use a Blender whose Jupyter has gone.
        app.poller.start()
    try:
        await app.kernel.ended.wait()
    finally:
        app.close()
