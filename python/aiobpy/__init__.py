"""asyncio for Blender, with the network in Rust."""

from aiobpy._native import __version__
from aiobpy.host import run, spawn
from aiobpy.loop import EventLoop, Tick
from aiobpy.schema import Colour, MaxLength, Pattern, Range
from aiobpy.templates import template

__all__ = [
    "Colour",
    "EventLoop",
    "MaxLength",
    "Pattern",
    "Range",
    "Tick",
    "__version__",
    "run",
    "spawn",
    "template",
]
