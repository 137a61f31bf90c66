"""An add-on that is connected: a server, a client, a child process, a method, an operator."""

import asyncio
import collections
import contextlib

import bpy

import aiobpy
from aiobpy import handlers

bl_info = {"name": "Life Feed", "blender": (4, 2, 0), "category": "Development"}

beats: collections.Counter[str] = collections.Counter()
ended: list[str] = []


class LIFE_OT_feed(bpy.types.Operator):  # type: ignore[misc]
    """Add an object for what has come in"""

    bl_idname = "life.feed"
    bl_label = "Feed"
    bl_options = {'REGISTER', 'UNDO'}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        bpy.ops.object.empty_add()
        return {'FINISHED'}


@aiobpy.rpc(name="life.beats")
def count_beats() -> int:
    """Tell programs how often we have been answered."""
    return beats["feed"]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what comes."""
    # Who is cancelled before it has read the answer resets the connection.
    with contextlib.suppress(ConnectionResetError):
        while line := await reader.readline():
            writer.write(line)
    writer.close()


async def feed() -> None:
    """Ask our own server, again and again."""
    try:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while True:
            writer.write(b"beat\n")
            assert await reader.readline() == b"beat\n"
            beats["feed"] += 1
            await asyncio.sleep(0.02)  # under test: work that goes on and on
    finally:
        ended.append("feed")


async def converse() -> None:
    """Talk with a child process, again and again."""
    async with aiobpy.process("cat") as child:
        lines = aiter(child)
        while True:
            await child.write("beat\n")
            assert await anext(lines) == "beat"
            beats["child"] += 1
            await asyncio.sleep(0.02)  # under test: work that goes on and on


async def watch() -> None:
    """Count what Blender announces."""
    async for _ in handlers.every("frame_change_post", "load_post", "undo_post"):
        beats["announced"] += 1


def register() -> None:
    """Begin all of it. Nothing of it is ended by us."""
    bpy.utils.register_class(LIFE_OT_feed)
    aiobpy.spawn(feed(), name="feed")
    aiobpy.spawn(converse(), name="converse")
    aiobpy.spawn(watch(), name="watch")


def unregister() -> None:
    """Unregister what is Blender's; the rest goes with the add-on."""
    bpy.utils.unregister_class(LIFE_OT_feed)
