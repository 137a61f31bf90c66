"""asyncio for Blender, with the network in Rust."""

from aiobpy._native import __version__
from aiobpy.host import run, spawn
from aiobpy.loop import EventLoop, Tick
from aiobpy.rpc import Problem, rpc
from aiobpy.schema import Colour, MaxLength, Pattern, Range
from aiobpy.server import publish
from aiobpy.templates import template

__all__ = [
    "Colour",
    "EventLoop",
    "MaxLength",
    "Pattern",
    "Problem",
    "Range",
    "Tick",
    "__version__",
    "publish",
    "rpc",
    "run",
    "spawn",
    "template",
]
