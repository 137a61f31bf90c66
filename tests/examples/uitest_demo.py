"""The demonstration goes from its dialog to its form, and leaves nothing in the scene."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import bpy
from aiohttp import web

import aiobpy
from aiobpy import uitest
from aiobpy.ui import popups
from examples.demo import demo


@asynccontextmanager
async def feed(text: str) -> AsyncIterator[str]:
    """Serve an RSS feed; one without a text never answers."""

    over = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        if not text:
            await over.wait()
        return web.Response(text=text, content_type="application/rss+xml")

    app = web.Application()
    app.router.add_get("/feed", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/feed"
    finally:
        over.set()
        await runner.cleanup()


NEWS = """<rss version="2.0"><channel><title>News</title>
<item><title>A new Blender</title></item><item><title>Cubes &amp; spheres</title></item>
</channel></rss>"""


async def shown(text: str) -> str:
    """Wait until the stage shows a text; return all of it."""

    def prompt() -> str:
        curve = bpy.data.curves.get("Demo Prompt")
        return curve.body if curve else ""

    await uitest.until(lambda: text in prompt())
    return prompt()


async def begin(address: str) -> "asyncio.Task[str | None]":
    """Start the tour, and go on from its dialog."""
    task = asyncio.ensure_future(demo.demo(address, seconds=3))
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)
    await uitest.screenshot("demo-dialog.png")
    await uitest.press('RET')
    await uitest.move(*uitest.centre())
    return task


async def press_space() -> None:
    """Press the space bar as soon as it is waited for."""
    listens = "AIOBPY_OT_listen"
    await uitest.until(
        lambda: listens in [each.bl_idname for each in uitest.window().modal_operators]
    )
    await uitest.press('SPACE')


async def test_the_tour_goes_to_its_end() -> None:
    names = {each.name for each in bpy.data.objects}
    async with feed(NEWS) as address:
        task = await begin(address)
        await shown("Press Space")
        await uitest.screenshot("demo-prompt.png")
        await press_space()
        await uitest.until(lambda: bpy.context.screen.is_animation_playing)
        await shown("2 ...")
        await uitest.screenshot("demo-countdown.png")
        news = await shown("Cubes")
        assert news.splitlines()[:2] == ["A new Blender", "Cubes & spheres"]
        await uitest.screenshot("demo-news.png")
        assert not bpy.context.screen.is_animation_playing
        await press_space()
        form = re.search(r"http://\S+", await shown("http://"))
        assert form
        await uitest.screenshot("demo-form.png")
        page = await aiobpy.fetch(form[0])
        assert "<form" in page.text()
        body = "text=Hello+from+a+browser%21"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        await aiobpy.fetch(form[0], body=body, headers=kind)
        assert await task == "Hello from a browser!"
    lines = bpy.data.texts[demo.TEXT].as_string().splitlines()
    assert lines[0] == "asyncio in Blender"
    frames = re.fullmatch(r"(\d+) frames were drawn during the countdown", lines[1])
    assert frames
    assert int(frames[1]) > 1
    assert lines[2] == "Hello from a browser!"
    assert {each.name for each in bpy.data.objects} == names
    assert not [each for each in bpy.data.curves if each.name.startswith("Demo")]
    assert bpy.data.scenes.keys() == ["Scene"]


async def test_news_that_do_not_come_are_not_waited_for() -> None:
    async with feed("") as address:
        task = await begin(address)
        await press_space()
        await shown("did not come within 3 s")
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert not [each for each in bpy.data.objects if each.name.startswith("Demo")]


async def test_the_tour_is_cancelled_during_the_countdown() -> None:
    task = await begin("http://127.0.0.1:9/")
    await press_space()
    await uitest.until(lambda: bpy.context.screen.is_animation_playing)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not bpy.context.screen.is_animation_playing
    assert not [each for each in bpy.data.objects if each.name.startswith("Demo")]


async def test_whoever_leaves_the_dialog_leaves_the_tour() -> None:
    task = asyncio.ensure_future(demo.demo())
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)
    await uitest.press('ESC')
    assert await task is None
    assert demo.TEXT not in bpy.data.texts
