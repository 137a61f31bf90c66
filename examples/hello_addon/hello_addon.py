import asyncio

import bpy

import aiobpy

bl_info = {"name": "Hello, network", "blender": (4, 2, 0), "category": "System"}


@aiobpy.rpc(name="hello.time")
async def ask_time(host: str = "time.nist.gov", port: int = 13) -> str:
    reader, _writer = await asyncio.open_connection(host, port)
    bpy.data.texts.new(host).write(time := (await reader.read()).decode())
    return time


class HELLO_OT_time(bpy.types.Operator):
    bl_idname, bl_label = "hello.time", "Ask a Server for the Time"

    def execute(self, context: bpy.types.Context) -> set[str]:
        aiobpy.spawn(ask_time())
        return {'FINISHED'}


register, unregister = bpy.utils.register_classes_factory([HELLO_OT_time])
