"""asyncio for Blender, with the network in Rust."""

import importlib
from typing import Any

from aiobpy._native import __version__
from aiobpy.host import run, spawn
from aiobpy.loop import EventLoop, Tick
from aiobpy.online import OfflineError
from aiobpy.owners import owner
from aiobpy.process import Line, Process, ProcessError, process
from aiobpy.progress import set_progress
from aiobpy.rpc import Problem, rpc
from aiobpy.schema import Colour, MaxLength, Pattern, Range
from aiobpy.server import publish
from aiobpy.templates import template
from aiobpy.transfer import (
    ChecksumError,
    Download,
    HttpError,
    Progress,
    Response,
    TransferError,
    TransferTimeout,
    download,
    fetch,
    hash_file,
    read_file,
    upload,
)

__all__ = [
    "ChecksumError",
    "Colour",
    "Download",
    "EventLoop",
    "HttpError",
    "Line",
    "MaxLength",
    "OfflineError",
    "Pattern",
    "Problem",
    "Process",
    "ProcessError",
    "Progress",
    "Range",
    "Response",
    "Tick",
    "TransferError",
    "TransferTimeout",
    "__version__",
    "download",
    "fetch",
    "hash_file",
    "owner",
    "process",
    "publish",
    "read_file",
    "rpc",
    "run",
    "set_progress",
    "spawn",
    "template",
    "upload",
]

_IN_BLENDER = {
    "AsyncOperator": "aiobpy.ui.async_operator:AsyncOperator",
    "BakeError": "aiobpy.jobs:BakeError",
    "BlendFileError": "aiobpy.jobs:BlendFileError",
    "RenderError": "aiobpy.jobs:RenderError",
    "RenderProgress": "aiobpy.jobs:RenderProgress",
    "RenderStopped": "aiobpy.jobs:RenderStopped",
    "bake": "aiobpy.jobs:bake",
    "context": "aiobpy.places:context",
    "frame": "aiobpy.main_loop:frame",
    "handlers": "aiobpy.handlers",
    "idle": "aiobpy.main_loop:idle",
    "open_file": "aiobpy.jobs:open_file",
    "render": "aiobpy.jobs:render",
    "save": "aiobpy.jobs:save",
    "spread": "aiobpy.main_loop:spread",
    "ui": "aiobpy.ui",
    "undo_step": "aiobpy.undo:undo_step",
}
"""Names that need Blender, and where they are: a module, or something in one. They are loaded when
they are first asked for, because loading `bpy` would make a Blender of any Python."""


def __getattr__(name: str) -> Any:
    place = _IN_BLENDER.get(name)
    if place is None:
        msg = f"module 'aiobpy' has no attribute {name!r}"
        raise AttributeError(msg)
    module, _, attribute = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found
