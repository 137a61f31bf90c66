"""Tests of an add-on's interface, written with `await` and run inside a real Blender with a window.

Two halves: `events`, `buttons`, `waiting`, `pictures` and `inner` run in Blender; the others run
outside, in pytest (`plugin`). What a test uses is here, and is loaded when it is first asked for.

**Invariant:** outside, `bpy` is never imported; inside, everything goes through `event_simulate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobpy import lazily

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

_PLACES = {
    "Spot": "aiobpy.uitest.buttons:Spot",
    "centre": "aiobpy.uitest.places:centre",
    "click": "aiobpy.uitest.events:click",
    "compare": "aiobpy.uitest.recording:compare",
    "drag": "aiobpy.uitest.events:drag",
    "find": "aiobpy.uitest.buttons:find",
    "move": "aiobpy.uitest.events:move",
    "open_sidebar": "aiobpy.uitest.places:open_sidebar",
    "passes": "aiobpy.uitest.waiting:passes",
    "press": "aiobpy.uitest.events:press",
    "screenshot": "aiobpy.uitest.pictures:screenshot",
    "type_text": "aiobpy.uitest.events:type_text",
    "until": "aiobpy.uitest.waiting:until",
    "window": "aiobpy.uitest.places:window",
}


def __getattr__(name: str) -> Any:
    return lazily.load(__name__, _PLACES, name)
