"""The names of `blender_async`: the loop, listeners, dialogs and handlers, to be awaited."""

from aiobpy.compat.blender_async import bridge, dialogs, handlers
from aiobpy.compat.blender_async.bridge import (
    AsyncioBridgeOperator,
    BlenderListener,
    get_event_loop,
)
from aiobpy.compat.blender_async.dialogs import AsyncDialog, open_dialog, open_file_dialog
from aiobpy.compat.blender_async.handlers import app_handler

__all__ = [
    "AsyncDialog",
    "AsyncioBridgeOperator",
    "BlenderListener",
    "app_handler",
    "bridge",
    "dialogs",
    "get_event_loop",
    "handlers",
    "open_dialog",
    "open_file_dialog",
]
