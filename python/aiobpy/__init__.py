"""asyncio for Blender, with the network in Rust."""

from typing import TYPE_CHECKING, Any

from aiobpy import lazily
from aiobpy._native import __version__
from aiobpy.host import run, spawn
from aiobpy.image import Image
from aiobpy.loop import EventLoop, Tick
from aiobpy.online import OfflineError
from aiobpy.owners import owner
from aiobpy.process import Line, Process, ProcessError, process
from aiobpy.progress import set_progress
from aiobpy.rpc import Problem, rpc
from aiobpy.schema import Colour, Frame, MaxLength, Pattern, Range, Shows, Text
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

if TYPE_CHECKING:
    # What is loaded late: see `_LATE`.
    from aiobpy import fleet as fleet
    from aiobpy import handlers as handlers
    from aiobpy import ui as ui
    from aiobpy import web as web
    from aiobpy.jobs import BakeError as BakeError
    from aiobpy.jobs import BlendFileError as BlendFileError
    from aiobpy.jobs import RenderError as RenderError
    from aiobpy.jobs import RenderProgress as RenderProgress
    from aiobpy.jobs import RenderStopped as RenderStopped
    from aiobpy.jobs import bake as bake
    from aiobpy.jobs import open_file as open_file
    from aiobpy.jobs import render as render
    from aiobpy.jobs import save as save
    from aiobpy.main_loop import frame as frame
    from aiobpy.main_loop import idle as idle
    from aiobpy.main_loop import spread as spread
    from aiobpy.places import context as context
    from aiobpy.ui.async_operator import AsyncOperator as AsyncOperator
    from aiobpy.undo import undo_step as undo_step
    from aiobpy.worker.kinds import BlendFile as BlendFile
    from aiobpy.worker.kinds import Camera as Camera
    from aiobpy.worker.kinds import Input as Input
    from aiobpy.worker.kinds import Material as Material
    from aiobpy.worker.kinds import Texture as Texture
    from aiobpy.worker.output import Output as Output

__all__ = [
    "ChecksumError",
    "Colour",
    "Download",
    "EventLoop",
    "Frame",
    "HttpError",
    "Image",
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
    "Shows",
    "Text",
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
    "BlendFile": "aiobpy.worker.kinds:BlendFile",
    "BlendFileError": "aiobpy.jobs:BlendFileError",
    "Camera": "aiobpy.worker.kinds:Camera",
    "Input": "aiobpy.worker.kinds:Input",
    "Material": "aiobpy.worker.kinds:Material",
    "Output": "aiobpy.worker.output:Output",
    "RenderError": "aiobpy.jobs:RenderError",
    "RenderProgress": "aiobpy.jobs:RenderProgress",
    "RenderStopped": "aiobpy.jobs:RenderStopped",
    "Texture": "aiobpy.worker.kinds:Texture",
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


_LATE = {**_IN_BLENDER, "fleet": "aiobpy.fleet", "web": "aiobpy.web"}
"""And what not everybody needs."""


def __getattr__(name: str) -> Any:
    return lazily.load(__name__, _LATE, name)


def __dir__() -> list[str]:
    return [*globals(), *_LATE]
