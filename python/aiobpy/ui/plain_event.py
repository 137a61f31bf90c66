"""What a key, a button, a pen or a puck did: an event of Blender's, as plain values."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class NdofMotion:
    """How a 3D mouse was moved."""

    translation: tuple[float, ...]
    rotation: tuple[float, ...]
    seconds: float
    """Since the last motion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of Blender's, copied: it may be kept for as long as one likes.

    The names are those of `bpy.types.Event`. Coordinates are in pixels from the lower left corner
    of the window, or of the region.

    Attributes:
        type: As in `'SPACE'`, `'LEFTMOUSE'`, `'NDOF_MOTION'`, `'TIMER'`.
        value: `'PRESS'`, `'RELEASE'`, `'CLICK'`, `'DOUBLE_CLICK'`, `'CLICK_DRAG'`, `'NOTHING'`.
        unicode: What was typed; empty if nothing was.
        mouse_region_x: In the region under the cursor; as `mouse_x` if there is none.
        pressure: Of the pen, from 0 to 1; of no meaning unless `is_tablet`.
        tilt: Of the pen, from -1 to 1 on both axes.
        ndof: How a 3D mouse was moved; None for other events, and before Blender 5.0.
        window: The number of the window, as `aiobpy.context(window=...)` takes it.
        area: The kind of the area under the cursor, as in `'VIEW_3D'`; None over the bars.
        region: The kind of the region under the cursor, as in `'WINDOW'`.
    """

    type: str
    value: str
    unicode: str = ""
    mouse_x: int = 0
    mouse_y: int = 0
    mouse_region_x: int = 0
    mouse_region_y: int = 0
    mouse_prev_x: int = 0
    mouse_prev_y: int = 0
    mouse_prev_press_x: int = 0
    mouse_prev_press_y: int = 0
    pressure: float = 1.0
    tilt: tuple[float, float] = (0.0, 0.0)
    is_tablet: bool = False
    is_repeat: bool = False
    shift: bool = False
    ctrl: bool = False
    alt: bool = False
    oskey: bool = False
    hyper: bool = False
    ndof: NdofMotion | None = None
    window: int = 0
    area: str | None = None
    region: str | None = None


def copy(event: Any, window: Any, number: int) -> Event:
    """Copy an event of Blender's that is under way in a window.

    Args:
        event: A `bpy.types.Event`.
        window: The `bpy.types.Window`.
        number: The window's number.
    """
    area, region = under_cursor(window.screen.areas, event.mouse_x, event.mouse_y)
    tilt_x, tilt_y = event.tilt
    return Event(
        type=event.type,
        value=event.value,
        unicode=event.unicode,
        mouse_x=event.mouse_x,
        mouse_y=event.mouse_y,
        mouse_region_x=event.mouse_x - (region.x if region else 0),
        mouse_region_y=event.mouse_y - (region.y if region else 0),
        mouse_prev_x=event.mouse_prev_x,
        mouse_prev_y=event.mouse_prev_y,
        mouse_prev_press_x=event.mouse_prev_press_x,
        mouse_prev_press_y=event.mouse_prev_press_y,
        pressure=event.pressure,
        tilt=(tilt_x, tilt_y),
        is_tablet=event.is_tablet,
        is_repeat=event.is_repeat,
        shift=bool(event.shift),
        ctrl=bool(event.ctrl),
        alt=bool(event.alt),
        oskey=bool(event.oskey),
        hyper=bool(getattr(event, "hyper", False)),
        ndof=_ndof_of(event),
        window=number,
        area=area.type if area else None,
        region=region.type if region else None,
    )


def under_cursor(areas: Iterable[Any], x: int, y: int) -> tuple[Any, Any]:
    """Return the area and the region at a place of the window, or None for each.

    Regions overlap: a sidebar lies on the main one, which is asked last.
    """
    for area in areas:
        if _is_inside(area, x, y):
            found = [region for region in area.regions if _is_inside(region, x, y)]
            found.sort(key=lambda region: region.type == 'WINDOW')
            return area, found[0] if found else None
    return None, None


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """Return what is wrong with the name of an event's type or value, and what may be meant.

    Args:
        kind: `type` or `value`.
        name: What was asked for.
        known: What there is.
    """
    asked = name.strip().upper().replace(" ", "_")
    meant = _COMMON_NAMES.get(asked)
    near = [meant] if meant else difflib.get_close_matches(asked, known, n=3, cutoff=0.55)
    text = f"{name!r} is no {kind} of an event in Blender"
    if near:
        return f"{text}; did you mean {' or '.join(map(repr, near))}?"
    return f"{text}; `bpy.types.Event.bl_rna.properties[{kind!r}].enum_items` lists them all"


def _is_inside(box: Any, x: int, y: int) -> bool:
    # A region that is hidden is one pixel wide.
    if box.width <= 1 or box.height <= 1:
        return False
    return bool(box.x <= x < box.x + box.width and box.y <= y < box.y + box.height)


def _ndof_of(event: Any) -> NdofMotion | None:
    motion = getattr(event, "ndof_motion", None)
    if motion is None or event.type != 'NDOF_MOTION':
        return None
    return NdofMotion(
        translation=tuple(motion.translation),
        rotation=tuple(motion.rotation),
        seconds=motion.time_delta,
    )


_COMMON_NAMES: Final = {
    "ENTER": 'RET',
    "RETURN": 'RET',
    "ESCAPE": 'ESC',
    "SPACEBAR": 'SPACE',
    "DELETE": 'DEL',
    "BACKSPACE": 'BACK_SPACE',
    "LMB": 'LEFTMOUSE',
    "RMB": 'RIGHTMOUSE',
    "MMB": 'MIDDLEMOUSE',
    "UP": 'UP_ARROW',
    "DOWN": 'DOWN_ARROW',
    "LEFT": 'LEFT_ARROW',
    "RIGHT": 'RIGHT_ARROW',
    **dict(
        zip(
            "0123456789",
            ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"),
            strict=True,
        )
    ),
}
"""What people call some keys, and what Blender does."""
