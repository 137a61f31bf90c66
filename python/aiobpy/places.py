"""A place in Blender's interface that callbacks can work in.

A tick has a window and nothing else: no area, no region. Most of Blender's operators want both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import bpy

from aiobpy.host import overrides

if TYPE_CHECKING:
    from types import TracebackType


class context:
    """Work in an area that is looked up at each use: `with aiobpy.context(area='VIEW_3D'): ...`.

    Nothing is kept between two uses but what the caller asked for, so the same object may be used
    again after a file load. There is no `await` inside: end the block first.

    Args:
        area: The kind of the area, as in `'VIEW_3D'`: the largest of that kind is taken.
        region: The kind of the region in it.
        window: The number of the window; if left out, the first that has such an area.

    Raises:
        LookupError: On entering: no window has such an area or region. The text says what there is.
        RuntimeError: On leaving: the block has awaited.
    """

    def __init__(
        self, area: str | None = None, region: str = 'WINDOW', *, window: int | None = None
    ) -> None:
        self._wanted = (area, region, window)
        self._overrides: list[Any] = []

    def __enter__(self) -> Self:
        override = bpy.context.temp_override(**_resolve(*self._wanted))
        override.__enter__()
        self._overrides.append(override)
        overrides.in_force.append(override)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        override = self._overrides.pop()
        if override not in overrides.in_force:
            msg = (
                f"the block of aiobpy.context(area={self._wanted[0]!r}) has awaited: Blender's"
                " context is the same for all, so end the block before each `await`"
            )
            raise RuntimeError(msg) from error
        overrides.in_force.remove(override)
        override.__exit__(kind, error, traceback)


def _resolve(area_kind: str | None, region_kind: str, number: int | None) -> dict[str, Any]:
    windows = list(bpy.context.window_manager.windows)
    if number is not None:
        windows = windows[number : number + 1]
    if area_kind is None:
        if windows:
            return {"window": windows[0]}
        raise LookupError(_nothing_there("window", str(number)))
    for window in windows:
        areas = [area for area in window.screen.areas if area.type == area_kind]
        if areas:
            area = max(areas, key=lambda area: area.width * area.height)
            return {"window": window, "area": area, "region": _region_of(area, region_kind)}
    raise LookupError(_nothing_there("area", area_kind))


def _region_of(area: Any, kind: str) -> Any:
    for region in area.regions:
        if region.type == kind:
            return region
    raise LookupError(_nothing_there(f"region in the {area.type}", kind))


def _nothing_there(what: str, wanted: str) -> str:
    there = sorted(
        {area.type for w in bpy.context.window_manager.windows for area in w.screen.areas}
    )
    return (
        f"there is no {what} {wanted}; the areas of this Blender's windows are:"
        f" {', '.join(there) or 'none, as it has no windows'}"
    )
