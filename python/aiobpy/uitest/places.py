"""Where things are in Blender's windows, in pixels from a window's lower left corner."""

from __future__ import annotations

from typing import Final

import bpy

from aiobpy.uitest.waiting import passes

_DRAWN_WITHIN: Final = 10
"""Passes of Blender's main loop after which a region that was hidden has been drawn."""


def window(index: int = 0) -> bpy.types.Window:
    """Return one of the open windows, the main one by default. Do not keep it across an `await`.

    Raises:
        LookupError: There are not so many.
    """
    windows = bpy.context.window_manager.windows
    if not 0 <= index < len(windows):
        msg = f"there is no window {index}: Blender has {len(windows)} open, counted from 0"
        raise LookupError(msg)
    return windows[index]


def centre(area: str = 'VIEW_3D', region: str = 'WINDOW', *, in_window: int = 0) -> tuple[int, int]:
    """Return the middle of a region: of the largest area of that type, if there are several.

    Args:
        area: As in 'VIEW_3D', 'PROPERTIES', 'OUTLINER'.
        region: As in 'WINDOW', 'UI' (the sidebar), 'HEADER', 'TOOLS'.
        in_window: Which of the open windows.

    Raises:
        LookupError: No such area or region is open.
    """
    found = regions(area, region, in_window=in_window)
    if not found:
        open_areas = sorted({found.type for found in window(in_window).screen.areas})
        msg = (
            f"no {area} with a visible region {region} is open in window {in_window}; "
            f"its areas: {', '.join(open_areas)}"
        )
        raise LookupError(msg)
    _, widest = found[0]
    return widest.x + widest.width // 2, widest.y + widest.height // 2


async def open_sidebar(
    tab: str | None = None, *, area: str = 'VIEW_3D', in_window: int = 0
) -> None:
    """Show the sidebar of the largest area of a type, and one of its tabs.

    Args:
        tab: The name of the tab, which is the `bl_category` of its panels; by default any.
        area: As in 'VIEW_3D', 'NODE_EDITOR'.
        in_window: Which of the open windows.

    Raises:
        LookupError: No such area is open, or its sidebar has no such tab.
    """
    x, y = centre(area, in_window=in_window)
    found = area_at(x, y, in_window=in_window)
    found.spaces.active.show_region_ui = True
    # The tabs are known when they have been drawn.
    for _ in range(_DRAWN_WITHIN):
        area_at(x, y, in_window=in_window).tag_redraw()
        await passes(1)
    if tab is None:
        return
    found = area_at(x, y, in_window=in_window)
    sidebar = next(region for region in found.regions if region.type == 'UI')
    try:
        sidebar.active_panel_category = tab
    except TypeError as error:
        msg = f"the sidebar of the {area} has no tab {tab!r}: {error}"
        raise LookupError(msg) from None
    found.tag_redraw()
    await passes(_DRAWN_WITHIN)


def area_at(x: int, y: int, *, in_window: int = 0) -> bpy.types.Area:
    """Return the area at a place.

    Raises:
        LookupError: There is none.
    """
    for area in window(in_window).screen.areas:
        if area.x <= x < area.x + area.width and area.y <= y < area.y + area.height:
            return area
    msg = f"there is no area at ({x}, {y}) in window {in_window}"
    raise LookupError(msg)


def regions(
    area: str | None = None, region: str | None = None, *, in_window: int = 0
) -> list[tuple[bpy.types.Area, bpy.types.Region]]:
    """Return the visible regions of such types with their areas, the largest first."""
    found = [
        (open_area, open_region)
        for open_area in window(in_window).screen.areas
        for open_region in open_area.regions
        if area in {None, open_area.type}
        and region in {None, open_region.type}
        # Blender keeps regions that are hidden or empty at a size of 1.
        and min(open_region.width, open_region.height) > 1
    ]
    return sorted(found, key=lambda pair: -pair[1].width * pair[1].height)
