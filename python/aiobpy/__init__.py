"""asyncio for Blender, with the network in Rust."""

from aiobpy._native import __version__
from aiobpy.host import run, spawn
from aiobpy.loop import EventLoop, Tick

__all__ = ["EventLoop", "Tick", "__version__", "run", "spawn"]
