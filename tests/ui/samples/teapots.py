import asyncio

import bpy

import aiobpy

bl_info = {"name": "Teapots", "blender": (4, 2, 0), "category": "Development"}


class TEAPOTS_OT_pour(bpy.types.Operator):  # type: ignore[misc]
    """Pour a cup, a moment later"""

    bl_idname = "teapots.pour"
    bl_label = "Pour"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        aiobpy.spawn(pour(), name="Pour")
        return {'FINISHED'}


class TEAPOTS_PT_pot(bpy.types.Panel):  # type: ignore[misc]
    """The pot."""

    bl_label = "Pot"
    bl_category = "Teapots"
    bl_space_type = 'VIEW_3D'
    bl_region_type = 'UI'

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.operator("teapots.pour")


async def pour() -> None:
    await asyncio.sleep(0.05)  # under test: work that takes its time
    bpy.data.objects.new("Cup", None)


def register() -> None:
    bpy.utils.register_class(TEAPOTS_OT_pour)
    bpy.utils.register_class(TEAPOTS_PT_pot)


def unregister() -> None:
    bpy.utils.unregister_class(TEAPOTS_PT_pot)
    bpy.utils.unregister_class(TEAPOTS_OT_pour)
