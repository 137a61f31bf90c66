"""asyncio for Blender, with the network in Rust."""

from aiobpy._native import __version__
from aiobpy.host import run, spawn
from aiobpy.loop import EventLoop, Tick
from aiobpy.process import Line, Process, ProcessError, process
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
    "process",
    "publish",
    "read_file",
    "rpc",
    "run",
    "spawn",
    "template",
    "upload",
]
