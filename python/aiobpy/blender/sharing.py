"""Who may reach the web server and who has: the network, devices, and the last requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import bpy.utils.previews
from bpy.app.translations import pgettext_iface as translated
from bpy.app.translations import pgettext_rpt as translated_report

from aiobpy.blender import service
from aiobpy.blender.tasks import CATEGORY

if TYPE_CHECKING:
    import aiobpy.server

_REQUESTS = 8
"""So many are shown."""
_MARGIN = 4
"""Light squares around a QR code, without which phones do not find it."""
_PIXELS_PER_SQUARE = 4
_QR_SCALE = 11.0
"""Of an icon's size."""
_LIGHT = -1
_DARK = -(1 << 24)
"""Pixels as Blender takes them: bytes of alpha, blue, green and red in a signed number."""


class AIOBPY_OT_exec_toggle(bpy.types.Operator):
    """Let programs that have the token run any Python in this Blender, until the server stops"""

    bl_idname = "aiobpy.exec_toggle"
    bl_label = "Run Python"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        server = service.server()
        if server is None:
            return {'CANCELLED'}
        server.allow_exec(not server.allows_exec)
        return {'FINISHED'}


class AIOBPY_OT_share_toggle(bpy.types.Operator):
    """Let devices on this network reach the web server. They need the token, or to be paired"""

    bl_idname = "aiobpy.share_toggle"
    bl_label = "Share on the Network"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        server = service.server()
        if server is None:
            return {'CANCELLED'}
        try:
            service.unshare() if server.shared_at else service.share()
        except Exception as error:
            self.report({'ERROR'}, str(error))
            return {'CANCELLED'}
        return {'FINISHED'}


class AIOBPY_OT_pair(bpy.types.Operator):
    """Show a code that lets one device ask to be let in"""

    bl_idname = "aiobpy.pair"
    bl_label = "Pair a Device"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        global _code
        if service.server() is None:
            return {'CANCELLED'}
        _code = service.pair()
        _draw_code(_code)
        return {'FINISHED'}


class AIOBPY_OT_device_revoke(bpy.types.Operator):
    """Let this device in no more, and cut what it has open"""

    bl_idname = "aiobpy.device_revoke"
    bl_label = "Revoke Device"
    bl_options = {'INTERNAL'}

    device: bpy.props.StringProperty()  # type: ignore[valid-type]

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            is_revoked = service.revoke(self.device)
        except Exception as error:
            self.report({'ERROR'}, str(error))
            return {'CANCELLED'}
        if not is_revoked:
            self.report({'INFO'}, translated_report("The device was revoked already"))
        return {'FINISHED'}


class _OfServer:
    """A panel below that of the web server, while it is on."""

    bl_category = CATEGORY
    bl_space_type = 'VIEW_3D'
    bl_region_type = 'UI'
    bl_parent_id = "AIOBPY_PT_server"
    bl_options = {'DEFAULT_CLOSED'}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return service.server() is not None


class AIOBPY_PT_devices(_OfServer, bpy.types.Panel):
    """The devices that were paired, and a code for another one."""

    bl_label = "Devices"
    bl_order = 0

    def draw(self, _context: bpy.types.Context) -> None:
        server = service.server()
        if server is None:
            return
        column = self.layout.column()
        column.operator(AIOBPY_OT_pair.bl_idname, icon='ADD')
        remaining = server.pairing_remaining
        if remaining is not None and _code is not None and _previews is not None:
            column.template_icon(_previews["code"].icon_id, scale=_QR_SCALE)
            told = translated("Scan it, or open this, within {:d} s:").format(int(remaining))
            column.label(text=told, translate=False)
            column.label(text=_code.address.partition("#")[0], translate=False)
            if not server.shared_at:
                column.label(text="Only for this computer: it is not shared", icon='INFO')
        for device in service.devices():
            row = column.row()
            row.label(text=f"{device.name} ({device.scope})", icon='DESKTOP', translate=False)
            revoke = row.operator(AIOBPY_OT_device_revoke.bl_idname, text="", icon='X')
            revoke.device = device.id
        if server.authority_fingerprint is not None:
            column.label(text="Fingerprint of the Certificate")
            for part in _broken(server.authority_fingerprint):
                column.label(text=part, icon='BLANK1', translate=False)


class AIOBPY_PT_requests(_OfServer, bpy.types.Panel):
    """What clients have asked, the newest first."""

    bl_label = "Requests"
    bl_order = 1

    def draw(self, _context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for asked in service.requests(_REQUESTS):
            refused = asked.status >= 400
            what = f"{asked.status}  {asked.method} {asked.path}"
            column.label(text=what, icon='ERROR' if refused else 'CHECKMARK', translate=False)
            who = asked.principal or asked.address or ""
            told = f"{who}  {asked.milliseconds:.1f} ms  {asked.at.astimezone():%H:%M:%S}"
            column.label(text=told, icon='BLANK1', translate=False)


def draw_switches(layout: bpy.types.UILayout, server: aiobpy.server.Server) -> None:
    """Draw what may be allowed beyond what the token alone gives."""
    column = layout.column(align=True)
    shared_at = server.shared_at
    column.operator(AIOBPY_OT_share_toggle.bl_idname, icon='WORLD', depress=bool(shared_at))
    for address in shared_at:
        column.label(text=address, icon='LINKED', translate=False)
    column.operator(AIOBPY_OT_exec_toggle.bl_idname, icon='CONSOLE', depress=server.allows_exec)


def register() -> None:
    """Register the panels and what their buttons do."""
    global _previews
    for class_ in _classes:
        bpy.utils.register_class(class_)
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    """Unregister them, and forget the code."""
    global _previews, _code
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews, _code = None, None
    for class_ in reversed(_classes):
        bpy.utils.unregister_class(class_)


def _draw_code(code: aiobpy.server.QrCode) -> None:
    if _previews is None:
        return
    _previews.clear()
    preview = _previews.new("code")
    side = (code.size + 2 * _MARGIN) * _PIXELS_PER_SQUARE
    preview.image_size = (side, side)
    preview.image_pixels = _pixels(code)
    preview.icon_size = (side, side)
    preview.icon_pixels = _pixels(code)


def _pixels(code: aiobpy.server.QrCode) -> list[int]:
    """Return the pixels of a code with its margin, the lowest row first."""
    rows: list[list[int]] = []
    for top in range(-_MARGIN, code.size + _MARGIN):
        row: list[int] = []
        for left in range(-_MARGIN, code.size + _MARGIN):
            is_inside = 0 <= top < code.size and 0 <= left < code.size
            is_dark = is_inside and code.squares[top * code.size + left] == 1
            row += [_DARK if is_dark else _LIGHT] * _PIXELS_PER_SQUARE
        rows += [row] * _PIXELS_PER_SQUARE
    return [pixel for row in reversed(rows) for pixel in row]


def _broken(fingerprint: str) -> list[str]:
    pairs = fingerprint.split(":")
    return [":".join(pairs[start : start + 8]) for start in range(0, len(pairs), 8)]


_classes = (
    AIOBPY_OT_exec_toggle,
    AIOBPY_OT_share_toggle,
    AIOBPY_OT_pair,
    AIOBPY_OT_device_revoke,
    AIOBPY_PT_devices,
    AIOBPY_PT_requests,
)
_previews: bpy.utils.previews.ImagePreviewCollection | None = None
_code: aiobpy.server.QrCode | None = None
"""The code that was shown last."""
