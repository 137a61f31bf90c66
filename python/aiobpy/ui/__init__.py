"""Blender's interface, awaited: events, dialogs, file browsers, operators.

**Invariant:** no live object of Blender is kept across an `await`: events are plain values, answers
are yours. What is registered in Blender is registered when it is first used, and taken down when
the loop is shut down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobpy import lazily

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

_PLACES = {
    "Event": "aiobpy.ui.plain_event:Event",
    "Events": "aiobpy.ui.event_stream:Events",
    "NdofMotion": "aiobpy.ui.plain_event:NdofMotion",
    "NotPolledError": "aiobpy.ui.operators:NotPolledError",
    "UnsupportedFieldError": "aiobpy.ui.models:UnsupportedFieldError",
    "confirm": "aiobpy.ui.dialogs:confirm",
    "dialog": "aiobpy.ui.dialogs:dialog",
    "event": "aiobpy.ui.event_stream:event",
    "events": "aiobpy.ui.event_stream:events",
    "menu": "aiobpy.ui.dialogs:menu",
    "message": "aiobpy.ui.dialogs:message",
    "operator": "aiobpy.ui.operators:operator",
    "pick_directory": "aiobpy.ui.files:pick_directory",
    "pick_file": "aiobpy.ui.files:pick_file",
    "pick_files": "aiobpy.ui.files:pick_files",
}
"""Where each is. It is loaded when it is first asked for: what needs no Blender, needs none."""


def __getattr__(name: str) -> Any:
    return lazily.load(__name__, _PLACES, name)
