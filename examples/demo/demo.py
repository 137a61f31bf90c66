"""A guided tour of awaiting: a dialog, a key, a countdown, a feed, and a form in the browser.

    blender --python examples/demo/demo.py

One coroutine is the whole story, from top to bottom; Blender goes on all the while.
"""

from __future__ import annotations

import asyncio
import html
import math
import secrets
from dataclasses import dataclass
from typing import Annotated, Final
from xml.etree import ElementTree as ET

import bmesh
import bpy

import aiobpy
from aiobpy import handlers, ui

FEED: Final = "https://www.blendernation.com/feed/"
TEXT: Final = "Demonstration"
"""The text data-block that keeps what was entered."""
STAGE: Final = "Demo Stage"
"""The scene that shows how far the tour is."""


@dataclass
class Start:
    """What the first dialog asks for."""

    title: Annotated[str, aiobpy.MaxLength(40)] = "asyncio in Blender"


async def demo(feed: str = FEED, seconds: int = 10, port: int = 0) -> str | None:
    """Run the tour.

    Args:
        feed: The address of an RSS feed.
        seconds: How long the countdown is.
        port: Of the form; 0 for any that is free.

    Returns:
        What was entered in the browser; None if the tour was left in the dialog.
    """
    entered = await ui.dialog(Start, text="What shall it be called?")
    if entered is None:
        return None
    write(entered.title)
    build_stage()
    try:
        show("Title", entered.title)
        show("Prompt", "Blender answers all the time: look around!\nPress Space to go on")
        await space()
        frames = await count_down(seconds)
        write(f"{frames} frames were drawn during the countdown")
        show("Prompt", "Fetching news ...")
        show("Prompt", "\n".join([*await headlines(feed), "", "Press Space to go on"]))
        await space()
        return await ask_in_browser(port)
    finally:
        clear_stage()


async def space() -> None:
    """Wait for the space bar; Blender does not get it, and does not begin to play."""
    await ui.event(type='SPACE', value='PRESS', swallow=True)


async def count_down(seconds: int) -> int:
    """Count while an animation plays; return how many frames Blender has shown meanwhile."""
    play()
    with handlers.every("frame_change_post") as changes:
        counting = asyncio.create_task(count(changes))
        for left in range(seconds, 0, -1):
            aiobpy.set_progress(1 - left / seconds, f"{left} s")
            show("Prompt", f"{left} ...")
            await asyncio.sleep(1)
    aiobpy.set_progress(1.0)
    stop_playing()
    return await counting


async def count(changes: handlers.Listener) -> int:
    """Return how often something happened, at the end."""
    number = 0
    async for _ in changes:
        number += 1
    return number


async def headlines(feed: str) -> list[str]:
    """Return the first titles of an RSS feed, or what to tell instead."""
    try:
        async with asyncio.timeout(3):
            answer = await aiobpy.fetch(feed)
        items = ET.fromstring(answer.bytes).iter("item")  # noqa: S314 - only titles
        return [item.findtext("title", "").strip() for item in items][:10]
    except TimeoutError:
        return ["The news did not come within 3 s"]
    except (aiobpy.TransferError, PermissionError, ET.ParseError) as error:
        return ["There is no news:", *str(error).split("; ")]


async def ask_in_browser(port: int) -> str:
    """Serve a form until it was sent once; return what was entered."""
    # Yours to install, as the guide to it says.
    from aiohttp import web

    sent: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    # Nobody else knows this path: no page of somebody else's can send the form.
    path = f"/{secrets.token_urlsafe(16)}"

    async def page(_request: web.Request) -> web.Response:
        text = html.escape(bpy.data.texts[TEXT].as_string()) if TEXT in bpy.data.texts else ""
        return web.Response(text=FORM.format(text=text), content_type="text/html")

    async def receive(request: web.Request) -> web.Response:
        text = str((await request.post()).get("text", ""))
        write(text)
        if not sent.done():
            sent.set_result(text)
        return web.Response(text="Thank you. It is in the text data-block now.")

    app = web.Application()
    app.add_routes([web.get(path, page), web.post(path, receive)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        show("Prompt", f"Write something into the form at\n{address}\n(it is in the clipboard)")
        bpy.context.window_manager.clipboard = address
        return await sent
    finally:
        await runner.cleanup()


FORM: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Blender</title></head>
<body><h1>To Blender</h1>
<pre>{text}</pre>
<form method="post">
<textarea name="text" rows="8" cols="60"></textarea><br><button>Send</button>
</form>
</body></html>
"""

# What follows knows nothing of waiting. It looks everything up by name: between two steps of the
# tour, another file may have been opened.


def write(line: str) -> None:
    """Add a line to the text data-block."""
    text = bpy.data.texts.get(TEXT) or bpy.data.texts.new(TEXT)
    text.write(f"{line}\n")


def show(name: str, text: str) -> None:
    """Change a text on the stage, if it is still there."""
    if f"Demo {name}" in bpy.data.curves:
        bpy.data.curves[f"Demo {name}"].body = text


def build_stage() -> None:
    """Show a scene with two texts and a turning head."""
    stage = bpy.data.scenes.new(STAGE)
    stage.frame_end = 59
    for name, height, size in (("Title", 3.0, 0.9), ("Prompt", 1.8, 0.42)):
        curve = bpy.data.curves.new(f"Demo {name}", 'FONT')
        curve.size = size
        curve.align_x = 'CENTER'
        text = bpy.data.objects.new(f"Demo {name}", curve)
        text.location.z = height
        text.rotation_euler.x = math.radians(90)
        stage.collection.objects.link(text)
    head = bpy.data.objects.new("Demo Head", head_mesh())
    head.location = (0.0, 0.0, 4.8)
    for frame, turn in ((1, 0.0), (60, math.tau)):
        head.rotation_euler.z = turn
        head.keyframe_insert("rotation_euler", frame=frame)
    stage.collection.objects.link(head)
    with aiobpy.context(area='VIEW_3D'):
        stage["came_from"] = bpy.context.scene.name
        bpy.context.window.scene = stage
        view = bpy.context.space_data.region_3d
        view.view_perspective = 'ORTHO'
        view.view_rotation = (math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0)
        view.view_location = (0.0, 0.0, 1.5)
        view.view_distance = 15.0


def head_mesh() -> bpy.types.Mesh:
    """Make the head of a monkey."""
    mesh = bpy.data.meshes.new("Demo Head")
    shape = bmesh.new()
    bmesh.ops.create_monkey(shape)
    shape.to_mesh(mesh)
    shape.free()
    return mesh


def clear_stage() -> None:
    """Remove what `build_stage` has built, as far as it is still there."""
    stop_playing()
    stage = bpy.data.scenes.get(STAGE)
    if stage is not None:
        before = bpy.data.scenes.get(stage.get("came_from", ""))
        for window in bpy.context.window_manager.windows:
            if window.scene == stage and before is not None:
                window.scene = before
        bpy.data.scenes.remove(stage)
    for collection in (bpy.data.objects, bpy.data.curves, bpy.data.meshes, bpy.data.actions):
        for thing in [each for each in collection if each.name.startswith("Demo ")]:
            collection.remove(thing)


def play() -> None:
    """Play the animation, unless it plays."""
    if not bpy.context.screen.is_animation_playing:
        with aiobpy.context(area='VIEW_3D'):
            bpy.ops.screen.animation_play()


def stop_playing() -> None:
    """Play no more."""
    for window in bpy.context.window_manager.windows:
        if window.screen.is_animation_playing:
            with bpy.context.temp_override(window=window):
                bpy.ops.screen.animation_cancel(restore_frame=False)


if __name__ == "__main__":
    task = aiobpy.spawn(demo(), name="Demonstration")
