"""The panel's buttons. Each does one thing of `service` and reports what went wrong."""

import bpy
from bpy.app.translations import pgettext_rpt as translated_report

from aiobpy.blender import preferences, service


class AIOBPY_OT_server_start(bpy.types.Operator):
    """Serve this Blender to programs on this computer. They need the token"""

    bl_idname = "aiobpy.server_start"
    bl_label = "Start Web Server"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if service.server() is not None:
            cls.poll_message_set("The web server is running already")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            service.start_server(allows_exec=preferences.allows_exec())
        except Exception as error:
            self.report({'ERROR'}, str(error))
            return {'CANCELLED'}
        try:
            if preferences.is_shared():
                service.share()
        except Exception as error:
            # It serves this computer all the same.
            self.report({'WARNING'}, str(error))
        return {'FINISHED'}


class AIOBPY_OT_server_stop(bpy.types.Operator):
    """Close all connections and stop listening"""

    bl_idname = "aiobpy.server_stop"
    bl_label = "Stop Web Server"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _needs_server(cls)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        service.stop_server()
        return {'FINISHED'}


class AIOBPY_OT_address_copy(bpy.types.Operator):
    """Copy the web server's address to the clipboard"""

    bl_idname = "aiobpy.address_copy"
    bl_label = "Copy Address"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _needs_server(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if (server := service.server()) is not None:
            context.window_manager.clipboard = server.address
            self.report({'INFO'}, translated_report("Address copied"))
        return {'FINISHED'}


class AIOBPY_OT_token_copy(bpy.types.Operator):
    """Copy the token that programs must send. Whoever has it can control this Blender"""

    bl_idname = "aiobpy.token_copy"
    bl_label = "Copy Token"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _needs_server(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if (server := service.server()) is not None:
            context.window_manager.clipboard = server.token
            self.report({'INFO'}, translated_report("Token copied"))
        return {'FINISHED'}


def register() -> None:
    """Register the operators."""
    for operator in _classes:
        bpy.utils.register_class(operator)


def unregister() -> None:
    """Unregister the operators."""
    for operator in reversed(_classes):
        bpy.utils.unregister_class(operator)


def _needs_server(operator: type[bpy.types.Operator]) -> bool:
    if service.server() is None:
        operator.poll_message_set("The web server is off")
        return False
    return True


_classes = (
    AIOBPY_OT_server_start,
    AIOBPY_OT_server_stop,
    AIOBPY_OT_address_copy,
    AIOBPY_OT_token_copy,
)
