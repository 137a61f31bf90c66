"""Blender's interface, awaited: events, dialogs, file browsers, operators.

**Invariant:** no live object of Blender is kept across an `await`: events are plain values, answers
are yours. What is registered in Blender is registered when it is first used, and taken down when
the loop is shut down.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiobpy.ui.dialogs import confirm, dialog, menu, message
    from aiobpy.ui.event_stream import Events, event, events
    from aiobpy.ui.files import pick_directory, pick_file, pick_files
    from aiobpy.ui.models import UnsupportedFieldError
    from aiobpy.ui.operators import NotPolledError, operator
    from aiobpy.ui.plain_event import Event, NdofMotion

__all__ = [
    "Event",
    "Events",
    "NdofMotion",
    "NotPolledError",
    "UnsupportedFieldError",
    "confirm",
    "dialog",
    "event",
    "events",
    "menu",
    "message",
    "operator",
    "pick_directory",
    "pick_file",
    "pick_files",
]

_MODULES = {
    "Event": "plain_event",
    "Events": "event_stream",
    "NdofMotion": "plain_event",
    "NotPolledError": "operators",
    "UnsupportedFieldError": "models",
    "confirm": "dialogs",
    "dialog": "dialogs",
    "event": "event_stream",
    "events": "event_stream",
    "menu": "dialogs",
    "message": "dialogs",
    "operator": "operators",
    "pick_directory": "files",
    "pick_file": "files",
    "pick_files": "files",
}
"""Where each is. It is loaded when it is first asked for: what needs no Blender, needs none."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
