"""The names of `asyncio_bridge`, which `blender_async` was called at first."""

import asyncio

from aiobpy.compat.blender_async import AsyncioBridgeOperator, BlenderListener, get_event_loop
from aiobpy.compat.blender_async.bridge import register, unregister

__all__ = [
    "AsyncioBridgeOperator",
    "BlenderListener",
    "ensure_running",
    "event_queue",
    "register",
    "unregister",
]

event_queue: asyncio.Queue[object] = asyncio.Queue()
"""Never had anything in it."""


def ensure_running() -> None:
    """Have Blender run asyncio's loop."""
    get_event_loop()


register()
