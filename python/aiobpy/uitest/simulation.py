"""The one door through which events reach Blender: `Window.event_simulate`."""

from __future__ import annotations

import difflib
from typing import Final, TypedDict, Unpack

import bpy

from aiobpy.uitest import places


class Modifiers(TypedDict, total=False):
    """Keys that are held meanwhile."""

    shift: bool
    ctrl: bool
    alt: bool
    oskey: bool


_KEYS: Final = {"shift": 'LEFT_SHIFT', "ctrl": 'LEFT_CTRL', "alt": 'LEFT_ALT', "oskey": 'OSKEY'}
_pointer: tuple[int, int] | None = None


def simulate(
    kind: str,
    value: str,
    *,
    at: tuple[float, float] | None = None,
    in_window: int = 0,
    character: str = "",
    **modifiers: Unpack[Modifiers],
) -> None:
    """Put an event into a window's queue; Blender handles it in its next pass.

    Args:
        kind: As in 'A', 'LEFTMOUSE', 'MOUSEMOVE'.
        value: 'PRESS', 'RELEASE', or 'NOTHING' for a movement.
        at: Where the pointer goes, in pixels from the lower left; by default it stays.
        in_window: Which of the open windows.
        character: What the key writes.
        **modifiers: Keys that are held.

    Raises:
        LookupError: There is no such window, or the place is outside.
        RuntimeError: Blender was started without `--enable-event-simulate`.
    """
    global _pointer
    if not bpy.app.use_event_simulate:
        msg = "this Blender takes no simulated events: start it with --enable-event-simulate"
        raise RuntimeError(msg)
    window = places.window(in_window)
    x, y = map(round, at or pointer(in_window=in_window))
    if not (0 <= x < window.width and 0 <= y < window.height):
        msg = (
            f"({x}, {y}) is outside window {in_window}, which has {window.width} x {window.height}"
        )
        raise LookupError(msg)
    _pointer = x, y
    written = {"unicode": character} if character else {}
    window.event_simulate(type=kind, value=value, x=x, y=y, **written, **modifiers)


def hold(*, in_window: int = 0, **modifiers: Unpack[Modifiers]) -> None:
    """Press the keys that are to be held. Blender takes those of the event before into a drag."""
    for name in modifiers:
        simulate(_KEYS[name], 'PRESS', in_window=in_window, **modifiers)


def let_go(*, in_window: int = 0, **modifiers: Unpack[Modifiers]) -> None:
    """Release the keys that were held."""
    for name in modifiers:
        simulate(_KEYS[name], 'RELEASE', in_window=in_window)


def pointer(*, in_window: int = 0) -> tuple[int, int]:
    """Return where the pointer is: at first in the middle of the window's largest region."""
    if _pointer is not None:
        return _pointer
    _, region = places.regions(in_window=in_window)[0]
    return region.x + region.width // 2, region.y + region.height // 2


def forget_pointer() -> None:
    """Begin again in the middle of the largest region: another file has other regions."""
    global _pointer
    _pointer = None


def known(kind: str) -> str:
    """Return the name of a key or button of the mouse if Blender has it.

    Raises:
        ValueError: It has not.
    """
    names = [item.identifier for item in bpy.types.Event.bl_rna.properties["type"].enum_items]
    if kind in names:
        return kind
    close = difflib.get_close_matches(kind.upper(), names, 3) or ["RET", "ESC", "LEFTMOUSE"]
    msg = f"Blender has no key or button {kind!r}; perhaps {', '.join(map(repr, close))}"
    raise ValueError(msg)
