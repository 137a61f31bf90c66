"""The panels in the 3D viewport's sidebar: does the loop run, is the server on, who is there."""

import logging
import time
from dataclasses import dataclass

import bpy
from bpy.app.translations import pgettext_iface as translated

from aiobpy.blender import service, sharing, tasks
from aiobpy.blender.operators import (
    AIOBPY_OT_address_copy,
    AIOBPY_OT_server_start,
    AIOBPY_OT_server_stop,
    AIOBPY_OT_token_copy,
)

CATEGORY = tasks.CATEGORY

_REFRESH_SECONDS = 1.0
_REFRESH_SECONDS_AT_WORK = 0.2


class AIOBPY_PT_loop(bpy.types.Panel):
    """The event loop that all add-ons share."""

    bl_label = "Event Loop"
    bl_category = CATEGORY
    bl_space_type = 'VIEW_3D'
    bl_region_type = 'UI'
    bl_order = 0

    def draw(self, _context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        facts = service.loop_facts()
        if facts is None:
            column.label(text="Stopped", icon='PAUSE')
            return
        if _pace.share_of_main_thread > service.BUSY_SHARE:
            column.label(text="Busy", icon='ERROR')
        else:
            column.label(text="Running", icon='CHECKMARK')
        _fact(column, "Ticks/Second", f"{_pace.ticks_per_second:,.0f}")
        _fact(column, "Callbacks/Second", f"{_pace.callbacks_per_second:,.0f}")
        _fact(column, "Time in Callbacks", f"{_pace.share_of_main_thread:.1%}")
        _fact(column, "Over Budget", f"{facts.overruns:,}")
        _fact(column, "Longest Wait", f"{facts.worst_lateness * 1000:.0f} ms")
        if facts.slowest is not None:
            name, seconds = facts.slowest
            _fact(column, "Slowest", f"{seconds * 1000:.1f} ms")
            column.label(text=name, icon='BLANK1', translate=False)


class AIOBPY_PT_server(bpy.types.Panel):
    """The web server of this Blender."""

    bl_label = "Web Server"
    bl_category = CATEGORY
    bl_space_type = 'VIEW_3D'
    bl_region_type = 'UI'
    bl_order = 3

    def draw(self, _context: bpy.types.Context) -> None:
        column = self.layout.column()
        server = service.server()
        switch = column.row()
        switch.scale_y = 1.4
        if server is None:
            switch.operator(AIOBPY_OT_server_start.bl_idname, icon='PLAY')
            column.label(text="Off: nothing listens", icon='UNLINKED')
            return
        switch.operator(AIOBPY_OT_server_stop.bl_idname, icon='PAUSE', depress=True)
        column.label(text=server.address, icon='LINKED', translate=False)
        copy = column.row(align=True)
        copy.operator(AIOBPY_OT_address_copy.bl_idname, icon='COPYDOWN', text="Address")
        copy.operator(AIOBPY_OT_token_copy.bl_idname, icon='KEYINGSET', text="Token")
        _fact(column, "Connected Clients", f"{server.connections:,}")
        sharing.draw_switches(self.layout, server)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the loop went between two refreshes."""

    ticks_per_second: float = 0.0
    callbacks_per_second: float = 0.0
    share_of_main_thread: float = 0.0
    """From 0 to 1: the part of the time that callbacks took."""


def pace_between(before: service.LoopFacts, after: service.LoopFacts, seconds: float) -> Pace:
    """The pace of a loop that counted `before` and, so many `seconds` later, `after`."""
    return Pace(
        ticks_per_second=(after.visits - before.visits) / seconds,
        callbacks_per_second=(after.callbacks - before.callbacks) / seconds,
        share_of_main_thread=(after.seconds_in_callbacks - before.seconds_in_callbacks) / seconds,
    )


def register() -> None:
    """Register the panels, and keep the visible ones fresh."""
    for panel in _classes:
        bpy.utils.register_class(panel)
    if not bpy.app.background:
        bpy.app.timers.register(_refresh, first_interval=0.1, persistent=True)


def unregister() -> None:
    """Unregister the panels and what keeps them fresh."""
    global _pace, _before
    if bpy.app.timers.is_registered(_refresh):
        bpy.app.timers.unregister(_refresh)
    for panel in reversed(_classes):
        bpy.utils.unregister_class(panel)
    _pace, _before = Pace(), None


def _fact(layout: bpy.types.UILayout, label: str, value: str) -> None:
    split = layout.split(factor=0.62)
    split.label(text=translated(label), icon='BLANK1', translate=False)
    split.label(text=value, translate=False)


def _refresh() -> float:
    # Blender drops a timer that raises.
    is_at_work = False
    try:
        is_at_work = tasks.refresh()
        _measure_pace()
        for region in _regions_that_show_us():
            region.tag_redraw()
    except Exception:
        _log.exception("could not refresh the panel")
    return _REFRESH_SECONDS_AT_WORK if is_at_work else _REFRESH_SECONDS


def _measure_pace() -> None:
    global _pace, _before
    facts = service.loop_facts()
    now = time.monotonic()
    if facts is None:
        _before = None
    elif _before is None:
        _before = (now, facts)
    elif now - _before[0] >= _REFRESH_SECONDS / 2:
        _pace = pace_between(_before[1], facts, now - _before[0])
        _before = (now, facts)


def _regions_that_show_us() -> list[bpy.types.Region]:
    return [
        region
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == 'VIEW_3D'
        for region in area.regions
        if region.type == 'UI' and region.active_panel_category == CATEGORY
    ]


_log = logging.getLogger(__name__)
_classes = (AIOBPY_PT_loop, AIOBPY_PT_server)
_pace = Pace()
_before: tuple[float, service.LoopFacts] | None = None
