"""Tests of an add-on's interface, written with `await` and run inside a real Blender with a window.

Two halves: `events`, `buttons`, `waiting`, `pictures` and `inner` run in Blender; the others run
outside, in pytest (`plugin`). What a test uses is here, and is loaded when it is first asked for.

**Invariant:** outside, `bpy` is never imported; inside, everything goes through `event_simulate`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiobpy.uitest.buttons import Spot, find
    from aiobpy.uitest.events import click, drag, move, press, type_text
    from aiobpy.uitest.pictures import screenshot
    from aiobpy.uitest.places import centre, open_sidebar, window
    from aiobpy.uitest.recording import compare
    from aiobpy.uitest.waiting import passes, until

__all__ = [
    "Spot",
    "centre",
    "click",
    "compare",
    "drag",
    "find",
    "move",
    "open_sidebar",
    "passes",
    "press",
    "screenshot",
    "type_text",
    "until",
    "window",
]

_MODULES = {
    "Spot": "buttons",
    "centre": "places",
    "click": "events",
    "compare": "recording",
    "drag": "events",
    "find": "buttons",
    "move": "events",
    "open_sidebar": "places",
    "passes": "waiting",
    "press": "events",
    "screenshot": "pictures",
    "type_text": "events",
    "until": "waiting",
    "window": "places",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
