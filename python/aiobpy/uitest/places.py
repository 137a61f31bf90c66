"""Where things are in Blender's windows, in pixels from a window's lower left corner."""

from __future__ import annotations

import bpy


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
