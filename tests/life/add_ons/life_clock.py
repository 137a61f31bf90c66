"""An add-on that counts: two tasks of a task, a key, and a timer that sets itself again."""

import asyncio
import collections

import aiobpy
from aiobpy import host, ui

bl_info = {"name": "Life Clock", "blender": (4, 2, 0), "category": "Development"}

beats: collections.Counter[str] = collections.Counter()
ended: list[str] = []


async def count(name: str) -> None:
    """Count until we are cancelled."""
    while True:
        await asyncio.sleep(0.01)  # under test: a timer of the add-on's
        beats[name] += 1


async def listen() -> None:
    """Count how often a key is pressed that nobody else wants."""
    async for _ in ui.events(type='F19', value='PRESS'):
        beats["key"] += 1


async def two() -> None:
    """Have two count, and take a moment to end."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(count("first"))
            group.create_task(count("second"))
    finally:
        await asyncio.sleep(0)
        ended.append("two")


def tick() -> None:
    """Come again."""
    beats["timer"] += 1
    host.loop().call_later(0.02, tick)


def register() -> None:
    """Begin all of it. Nothing of it is ended by us."""
    aiobpy.spawn(two(), name="two")
    aiobpy.spawn(listen(), name="listen")
    tick()


def unregister() -> None:
    """Do nothing: what goes on goes with the add-on."""
