"""Runs a kernel until its client or its notebook ends it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import bpy

import aiobpy.host
from aiobpy.jupyter import pictures
from aiobpy.jupyter.context import viewport_context
from aiobpy.jupyter.interrupts import Interrupts
from aiobpy.jupyter.kernel import KernelApp

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


def alone(connection_file: str) -> None:
    """Run the kernel where Blender has no main loop, and return when it has ended."""
    serving = serve(connection_file, contextlib.nullcontext)
    kernel = aiobpy.host.spawn(serving, name="Jupyter kernel")
    while not kernel.done():
        # An interrupt may end a task of the notebook, and with it this run of the loop.
        with contextlib.suppress(KeyboardInterrupt):
            aiobpy.host.loop().run_until_complete(kernel)


def as_guest(connection_file: str) -> asyncio.Task[None]:
    """Run the kernel in a Blender with windows, which ends with it; return at once."""
    return aiobpy.host.spawn(serve_and_quit(connection_file), name="Jupyter kernel")


async def serve_and_quit(connection_file: str) -> None:
    """Serve, then leave Blender as a person would."""
    await serve(connection_file, viewport_context)
    with viewport_context():
        bpy.ops.wm.quit_blender()


async def serve(
    connection_file: str, context: Callable[[], contextlib.AbstractContextManager[object]]
) -> None:
    """Answer the clients that know the connection file, until one of them ends the kernel.

    Args:
        connection_file: Written by Jupyter, which also removes it.
        context: In what Blender's context each step of a cell runs.
    """
    app = KernelApp.instance(connection_file=connection_file)
    app.step_context = context
    app.initialize([])
    app.shell.push(
        {"aiobpy": aiobpy, "bpy": bpy, "C": bpy.context, "D": bpy.data}, interactive=False
    )
    pictures.register(app.shell.display_formatter)
    interrupts = Interrupts(app.kernel)
    interrupts.take()
    app.kernel.start()
    if app.poller is not None and bpy.app.background:
        # Without a window, nobody could use a Blender whose Jupyter has gone.
        app.poller.start()
    await app.kernel.ended.wait()
    app.close()
