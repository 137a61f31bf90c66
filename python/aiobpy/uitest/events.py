"""What a person does with mouse and keyboard. Each returns when Blender has drawn the result."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final, Unpack

import bpy

from aiobpy.uitest import buttons
from aiobpy.uitest.simulation import Modifiers, hold, known, let_go, simulate
from aiobpy.uitest.waiting import passes

if TYPE_CHECKING:
    from collections.abc import Mapping

_HANDLED_AND_DRAWN: Final = 2
"""Passes of Blender's main loop."""
_DIGITS: Final = ('ZERO', 'ONE', 'TWO', 'THREE', 'FOUR', 'FIVE', 'SIX', 'SEVEN', 'EIGHT', 'NINE')
_KEYS: Final[Mapping[str, str]] = {
    **{letter: letter.upper() for letter in string.ascii_letters},
    **dict(zip(string.digits, _DIGITS, strict=True)),
    " ": 'SPACE',
    "\n": 'RET',
    "\t": 'TAB',
    ".": 'PERIOD',
    ",": 'COMMA',
    "-": 'MINUS',
    "/": 'SLASH',
}
"""The keys that write these characters."""


async def move(x: float, y: float, *, in_window: int = 0) -> None:
    """Move the pointer; from a window's lower left corner, in pixels.

    Raises:
        LookupError: That is outside the window.
    """
    simulate('MOUSEMOVE', 'NOTHING', at=(x, y), in_window=in_window)
    await passes(_HANDLED_AND_DRAWN)


async def press(key: str, *, in_window: int = 0, **modifiers: Unpack[Modifiers]) -> None:
    """Press a key, or a button of the mouse, where the pointer is, and let it go.

    Args:
        key: As Blender names it, as in "A", 'RET', 'ESC', 'F3', 'RIGHTMOUSE', 'WHEELUPMOUSE'; or
            the character on it, as in "1" or ".".
        in_window: Which of the open windows.
        **modifiers: `shift=True`, `ctrl=True`, `alt=True`, `oskey=True`.

    Raises:
        ValueError: Blender knows no such key.
    """
    await _press(known(_KEYS.get(key, key)), "", in_window, **modifiers)


async def click(
    x: float | None = None,
    y: float | None = None,
    *,
    operator: str | None = None,
    prop: str | None = None,
    area: str | None = None,
    region: str | None = None,
    popup: bool = False,
    button: str = 'LEFTMOUSE',
    in_window: int = 0,
    **modifiers: Unpack[Modifiers],
) -> None:
    """Click at a place, or on the button of an operator or of a property.

    Args:
        x: Pixels from the window's left.
        y: Pixels from the window's lower edge.
        operator: As in "mesh.primitive_cube_add", or with some of what the button calls it with,
            as in "wm.call_menu(name='VIEW3D_MT_add')". See `find` for how it is found.
        prop: The end of a property's data path, as in "location[0]" or "render.fps".
        area: Look there only, as in 'VIEW_3D' or 'PROPERTIES'. That is quicker.
        region: Look there only, as in 'UI' (the sidebar) or 'HEADER'.
        popup: Look in the menu, popover or dialog that is open at the pointer.
        button: Of the mouse.
        in_window: Which of the open windows.
        **modifiers: `shift=True`, `ctrl=True`, `alt=True`, `oskey=True`.

    Raises:
        LookupError: There is no such button where it was looked for; the text says what is there.
        TypeError: Neither a place nor a button was named, or both.
    """
    known(button)
    has_place = x is not None and y is not None
    if has_place == (operator is not None or prop is not None):
        msg = 'click takes a place, `click(x, y)`, or what to look for, `click(operator="…")`'
        raise TypeError(msg)
    if x is None or y is None:
        spot = await buttons.find(
            operator, prop=prop, area=area, region=region, popup=popup, in_window=in_window
        )
        x, y = spot.x, spot.y
    await move(x, y, in_window=in_window)
    await _press(button, "", in_window, **modifiers)


async def drag(
    x: float,
    y: float,
    to_x: float,
    to_y: float,
    *,
    button: str = 'LEFTMOUSE',
    steps: int = 8,
    in_window: int = 0,
    **modifiers: Unpack[Modifiers],
) -> None:
    """Press a button of the mouse at one place, move in so many steps to another, and let go.

    Raises:
        LookupError: A place is outside the window.
    """
    known(button)
    await move(x, y, in_window=in_window)
    hold(in_window=in_window, **modifiers)
    simulate(button, 'PRESS', in_window=in_window, **modifiers)
    await passes(_HANDLED_AND_DRAWN)
    for step in range(1, steps + 1):
        share = step / steps
        place = (x + (to_x - x) * share, y + (to_y - y) * share)
        simulate('MOUSEMOVE', 'NOTHING', at=place, in_window=in_window, **modifiers)
        await passes(1)
    simulate(button, 'RELEASE', in_window=in_window, **modifiers)
    let_go(in_window=in_window, **modifiers)
    await passes(_HANDLED_AND_DRAWN)


async def type_text(text: str, *, in_window: int = 0) -> None:
    """Type a text, as into the field that is being edited."""
    for character in text:
        # A character that has no key of its own in `_KEYS` comes with any: Blender takes the
        # character, and looks at the key only where no text is edited.
        kind = _KEYS.get(character, 'A')
        written = character if character.isprintable() else ""
        if character.isupper():
            await _press(kind, written, in_window, shift=True)
        else:
            await _press(kind, written, in_window)


async def _press(kind: str, character: str, in_window: int, **modifiers: Unpack[Modifiers]) -> None:
    hold(in_window=in_window, **modifiers)
    simulate(kind, 'PRESS', in_window=in_window, character=character, **modifiers)
    await passes(1)
    # What was pressed may have closed the window.
    if in_window < len(bpy.context.window_manager.windows):
        simulate(kind, 'RELEASE', in_window=in_window, **modifiers)
        let_go(in_window=in_window, **modifiers)
    await passes(_HANDLED_AND_DRAWN)
