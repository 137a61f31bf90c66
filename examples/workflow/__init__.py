"""File > Import > List of Parts: asks, downloads and builds while Blender goes on."""

from __future__ import annotations

from typing import Any

import bpy

import aiobpy

from .importer import import_parts


class IMPORT_SCENE_OT_parts(aiobpy.AsyncOperator):
    """Import a list of parts, with the meshes that it names"""

    bl_idname = "import_scene.parts"
    bl_label = "Import Parts"

    async def async_execute(self, context: bpy.types.Context) -> set[str]:
        """Import, and say what has come."""
        imported = await import_parts(self.progress)
        if imported is None:
            return {'CANCELLED'}
        self.report({'INFO'}, f"{imported.objects} objects of {imported.parts} parts")
        return {'FINISHED'}


def draw_in_menu(menu: Any, _context: bpy.types.Context) -> None:
    """Add the importer to File > Import."""
    menu.layout.operator_context = 'INVOKE_DEFAULT'
    menu.layout.operator(IMPORT_SCENE_OT_parts.bl_idname, text="List of Parts (.json)")


def register() -> None:
    """Enable the add-on."""
    bpy.utils.register_class(IMPORT_SCENE_OT_parts)
    bpy.types.TOPBAR_MT_file_import.append(draw_in_menu)


def unregister() -> None:
    """Disable the add-on. aiobpy cancels what is under way."""
    bpy.types.TOPBAR_MT_file_import.remove(draw_in_menu)
    bpy.utils.unregister_class(IMPORT_SCENE_OT_parts)
