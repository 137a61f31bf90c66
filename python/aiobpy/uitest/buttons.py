"""Finds buttons. Blender does not tell where they are, so the pointer looks for them.

At each point of a grid Blender is asked what the button under the pointer is, by its own "Copy
Python Command" and "Copy Full Data Path". Menus and dialogs are no regions that Python can name;
there the same is asked with Ctrl+C.
"""

from __future__ import annotations

import ast
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import bpy

from aiobpy.uitest import places
from aiobpy.uitest.simulation import let_go, pointer, simulate
from aiobpy.uitest.waiting import passes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_ROW: Final = 14
"""Pixels between the points of a column at a resolution scale of 1; a button has 18 and more."""
_COLUMN: Final = 40
_HOVERED: Final = 2
"""Passes until the button under the pointer is the active one: first, the one before is left."""
_HEADER: Final = 40
"""Pixels: what is less high has one row of buttons."""
_LISTED: Final = 30
"""Buttons that an error names."""
_POPUP_REACH: Final = 400
"""Pixels to each side of the pointer that a menu or dialog is searched."""
_GAP: Final = 3
"""Points one after another without a button after which a popup is taken to have ended."""


@dataclass(frozen=True)
class Spot:
    """A button."""

    x: int
    """Pixels from the window's left to a point on the button."""
    y: int
    """Pixels from the window's lower edge, to the middle of the button."""
    text: str
    """What Blender says that it is, as in `bpy.ops.mesh.primitive_cube_add()`."""


async def find(
    operator: str | None = None,
    *,
    prop: str | None = None,
    area: str | None = None,
    region: str | None = None,
    popup: bool = False,
    in_window: int = 0,
) -> Spot:
    """Find the button of an operator or of a property by moving the pointer over the window.

    It takes some 20 ms for each point that is looked at, and so a second or two for a sidebar and
    many for a whole window: say where to look. Buttons that need scrolling to are not found.

    Args:
        operator: As in "mesh.primitive_cube_add" or "wm.call_menu(name='VIEW3D_MT_add')".
        prop: The end of a property's data path, as in "location[0]" or "render.fps".
        area: The type of area to look in; by default all, save where no buttons are (the main
            regions of viewports and the like).
        region: The type of region to look in.
        popup: Look around the pointer, in the menu, popover or dialog that is open there.
        in_window: Which of the open windows.

    Raises:
        LookupError: It was not found; the text says what was.
    """
    wanted = _Wanted(operator, prop)
    found: dict[str, Spot] = {}
    async for spot in _in_popup(in_window) if popup else _in_regions(area, region, in_window):
        if wanted.fits(spot.text):
            return spot if popup else await _middle(spot, in_window)
        found.setdefault(spot.text, spot)
    where = "the popup" if popup else f"{area or 'any area'}, {region or 'any region'}"
    names = [*found][:_LISTED] or ["none"]
    msg = "\n  ".join([f"no button of {wanted} was found in {where}; those there are:", *names])
    raise LookupError(msg)


class _Wanted:
    """What a button's text is compared with."""

    def __init__(self, operator: str | None, prop: str | None) -> None:
        if (operator is None) == (prop is None):
            msg = "name an operator or a property (`prop`), one of the two"
            raise TypeError(msg)
        self._operator = None if operator is None else _call(f"bpy.ops.{operator}")
        self._prop = prop
        self._text = operator or prop or ""

    def __str__(self) -> str:
        return self._text

    def fits(self, text: str) -> bool:
        if self._prop is not None:
            return text == self._prop or text.endswith(f".{self._prop}")
        if not text.startswith("bpy.ops.") or self._operator is None:
            return False
        name, arguments = _call(text)
        wanted_name, wanted_arguments = self._operator
        return name == wanted_name and wanted_arguments.items() <= arguments.items()


def _call(text: str) -> tuple[str, dict[str, str]]:
    """The name and the arguments of a call as it is written in Python."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return text, {}
    if not isinstance(tree, ast.Call):
        return text, {}
    arguments = {str(word.arg): ast.unparse(word.value) for word in tree.keywords}
    return ast.unparse(tree.func), arguments


async def _in_regions(
    area_type: str | None, region_type: str | None, in_window: int
) -> AsyncIterator[Spot]:
    """Ask at the points of regions; hidden ones and those without buttons are left out."""
    rectangles = [
        (area.type, region.type, region.x, region.y, region.width, region.height)
        for area, region in places.regions(area_type, region_type, in_window=in_window)
        if region_type or region.type != 'WINDOW' or area.type in _AREAS_OF_BUTTONS
    ]
    if not rectangles:
        msg = f"no {area_type or 'area'} with a visible region {region_type or ''} is open"
        raise LookupError(msg)
    # The small ones first: a header is searched in no time.
    for _, _, left, bottom, width, height in reversed(rectangles):
        for x, y in _points(left, bottom, width, height):
            if text := await _ask(x, y, in_window):
                yield Spot(x, y, text)


async def _in_popup(in_window: int) -> AsyncIterator[Spot]:
    """Ask at the points of the popup that is open at the pointer, column by column.

    The pointer never goes far from the buttons that it has found: some popups close then. Nor does
    it cross a menu to get into one that is open beside it: each item on the way would open its own.
    """
    x, y = pointer(in_window=in_window)
    # An item that has opened its menu does not answer any more.
    if not await _ask_popup(x, y, in_window):
        x = await _beside(x, y, in_window)
    reach, step = _scaled(_POPUP_REACH), _scaled(_COLUMN)
    columns = [range(x, x + reach, step), range(x - step, x - reach, -step)]
    for side in columns:
        for column in side:
            is_empty = True
            async for spot in _in_column(column, y, in_window):
                is_empty = False
                yield spot
            if is_empty and column != x:
                break


async def _in_column(x: int, y: int, in_window: int) -> AsyncIterator[Spot]:
    """Ask downwards and then upwards from a place, in each direction until nothing more comes."""
    row = _scaled(_ROW)
    for direction, begin in ((-1, y), (1, y + row)):
        place, missed = begin, 0
        while missed < _GAP:
            text = await _ask_popup(x, place, in_window)
            missed = 0 if text else missed + 1
            if text:
                yield Spot(x, place, text)
            place += direction * row


async def _beside(x: int, y: int, in_window: int) -> int:
    """Where the menu is that the item at a place has opened: to its right, or else to its left."""
    step = _scaled(_COLUMN)
    for direction in (1, -1):
        for distance in range(step, _scaled(_POPUP_REACH), step):
            if await _ask_popup(x + direction * distance, y, in_window):
                return x + direction * distance
    return x


async def _middle(spot: Spot, in_window: int) -> Spot:
    """The same button, at the middle of its height."""
    step = _scaled(4)
    top = bottom = spot.y
    while top - spot.y < _scaled(_ROW) and await _ask(spot.x, top + step, in_window) == spot.text:
        top += step
    while spot.y - bottom < _scaled(_ROW) and (
        await _ask(spot.x, bottom - step, in_window) == spot.text
    ):
        bottom -= step
    return Spot(spot.x, (top + bottom) // 2, spot.text)


async def _ask(x: int, y: int, in_window: int) -> str:
    """What the button there is, as Blender's own context menu copies it; empty for none."""
    window = places.window(in_window)
    if not (0 <= x < window.width and 0 <= y < window.height):
        return ""
    simulate('MOUSEMOVE', 'NOTHING', at=(x, y), in_window=in_window)
    await passes(_HOVERED)
    window = places.window(in_window)
    area, region = _at(window, x, y)
    if region is None:
        return ""
    manager = bpy.context.window_manager
    manager.clipboard = ""
    with bpy.context.temp_override(window=window, area=area, region=region):
        for copy in (
            bpy.ops.ui.copy_python_command_button,
            lambda: bpy.ops.ui.copy_data_path_button(full_path=True),
        ):
            # They refuse where there is no button, or one of another kind.
            with contextlib.suppress(RuntimeError):
                copy()
            if manager.clipboard:
                return str(manager.clipboard)
    return ""


async def _ask_popup(x: int, y: int, in_window: int) -> str:
    """What the button of a popup there is, as Ctrl+C copies it; empty for none."""
    window = places.window(in_window)
    if not (0 <= x < window.width and 0 <= y < window.height):
        return ""
    simulate('MOUSEMOVE', 'NOTHING', at=(x, y), in_window=in_window)
    await passes(_HOVERED)
    bpy.context.window_manager.clipboard = ""
    simulate('C', 'PRESS', in_window=in_window, ctrl=True)
    await passes(1)
    simulate('C', 'RELEASE', in_window=in_window, ctrl=True)
    let_go(in_window=in_window, ctrl=True)
    await passes(1)
    return str(bpy.context.window_manager.clipboard)


def _at(
    window: bpy.types.Window, x: int, y: int
) -> tuple[bpy.types.Area | None, bpy.types.Region | None]:
    """The area and the region at a place; of those that overlap, the smallest."""
    under = [
        (region.width * region.height, area, region)
        for area in window.screen.areas
        for region in area.regions
        if region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
    ]
    if not under:
        return None, None
    _, area, region = min(under, key=lambda found: found[0])
    return area, region


def _points(left: int, bottom: int, width: int, height: int) -> Iterator[tuple[int, int]]:
    """The points of a region: a wide grid first, then between its columns for the small icons."""
    if height < _scaled(_HEADER):
        yield from (
            (x, bottom + height // 2) for x in range(left + 12, left + width, _scaled(_ROW))
        )
        return
    column = _scaled(_COLUMN)
    for start in (left + 12, left + 12 + column // 2):
        for y in range(bottom + height - 6, bottom, -_scaled(_ROW)):
            for x in range(start, left + width, column):
                yield x, y


def _scaled(pixels: int) -> int:
    return round(pixels * float(bpy.context.preferences.system.ui_scale))


_AREAS_OF_BUTTONS: Final = frozenset({'PROPERTIES', 'PREFERENCES'})
"""Editors whose main region is full of buttons."""
