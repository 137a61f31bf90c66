"""The names of `blender_async`, used by scripts as Blender runs them: outside the loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType
from typing import Any

import bpy
import pytest

from aiobpy import host, owners, uitest
from aiobpy.compat import asyncio_bridge, blender_async
from aiobpy.compat.blender_async import BlenderListener, app_handler
from aiobpy.compat.blender_async.dialogs import BlenderFuture
from aiobpy.ui import popups

# Its author's examples in our words, with the imports changed, and what Python no longer has left
# out: `asyncio.coroutine`.
LISTENERS = """
from aiobpy.compat import blender_async
from aiobpy.compat.blender_async import BlenderListener

async def example():
    listener = BlenderListener(event_type="SPACE", catch=True)
    await listener.wait()
    listener.remove()
    print("Space key was pressed")

loop = blender_async.get_event_loop()
task = loop.create_task(example())
"""
DIALOGS = """
import bpy
from aiobpy.compat import blender_async

class TestDialog(blender_async.dialogs.AsyncDialog):
    my_float = bpy.props.FloatProperty(name="Some Floating Point", default=0.5)
    my_bool = bpy.props.BoolProperty(name="Toggle Option")
    my_string = bpy.props.StringProperty(name="String Value", default="text")

async def example():
    results = await blender_async.open_dialog(TestDialog)
    print(results)

loop = blender_async.get_event_loop()
task = loop.create_task(example())
"""
APP_EVENTS = """
from aiobpy.compat import blender_async
from aiobpy.compat.blender_async import app_handler

async def main():
    for i in range(3):
        print("Please change Frame")
        await app_handler("frame_change_post")

loop = blender_async.get_event_loop()
task = loop.create_task(main())
"""
DEMONSTRATION = """
import asyncio
import re
import bpy
from asyncio import Task, sleep, wait_for
import aiohttp
from aiohttp import web
from aiobpy.compat import asyncio_bridge
from aiobpy.compat.asyncio_bridge import BlenderListener

for name in ("title", "prompt"):
    text = bpy.data.objects.new(name, bpy.data.curves.new(name, "FONT"))
    bpy.context.collection.objects.link(text)

def title(text):
    print(text)
    bpy.data.objects["title"].data.body = text

def prompt(text):
    print(text)
    bpy.data.objects["prompt"].data.body = text

async def test_1():
    listener = BlenderListener(event_type="SPACE", catch=True)
    title("AsyncIO Demonstration")
    prompt("Press 'Space' to continue...")
    await listener.wait()
    bpy.ops.screen.animation_play()
    title("Basic Timeouts")
    for i in reversed(range(3)):
        prompt("Count down {0}...".format(i))
        await sleep(0.1)
    bpy.ops.screen.animation_cancel()
    listener.remove()
    async with aiohttp.ClientSession() as session:
        await http_request_demo(session)
        await http_server_demo(session)

async def http_request_demo(session):
    listener = BlenderListener(event_type="SPACE", catch=True)
    title("HTTP Requests")
    try:
        await wait_for(session.get(silent), 0.5)
    except asyncio.TimeoutError:
        prompt("Sorry, server couldn't be reached.")
    request = await wait_for(session.get(feed), 3)
    text = await wait_for(request.text(), 10)
    prompt(" ".join(re.findall("<title>(.*?)</title>", text)))
    await listener.wait()
    listener.remove()

async def http_server_demo(session):
    title("HTTP Server")

    async def handle(request):
        user_input = request.query.get("user_input", "")
        prompt(user_input)
        bpy.data.texts.new("input").write(user_input)
        return web.Response(text="<form method='GET'>", content_type="text/html")

    app = web.Application()
    app.router.add_route("GET", "/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    request = await session.get(f"http://127.0.0.1:{port}/?user_input=Put+some+text+here%21")
    await request.text()
    await runner.cleanup()

asyncio_bridge.register()
bpy.ops.bpy.start_asyncio_bridge()
task = Task(test_1())
"""
FILES = """
from aiobpy.compat import blender_async

async def example():
    print(await blender_async.open_file_dialog())

loop = blender_async.get_event_loop()
task = loop.create_task(example())
other = loop.create_task(example())
"""


async def run(code: str, **names: str) -> Any:
    """Run a script where Blender would; its task may go on."""
    module: Any = ModuleType("script")
    vars(module).update(names)
    module.printed = []
    module.print = lambda *words: module.printed.append(" ".join(map(str, words)))
    ran = asyncio.get_running_loop().create_future()

    def script() -> None:
        try:
            exec(compile(code, "script", "exec"), vars(module))
        except Exception as error:
            ran.get_loop().call_soon_threadsafe(ran.set_exception, error)
        else:
            ran.get_loop().call_soon_threadsafe(ran.set_result, None)

    bpy.app.timers.register(script)
    await ran
    return module


def ears() -> int:
    """How many windows are listened to."""
    windows = bpy.context.window_manager.windows
    return sum(
        operator.bl_idname == "AIOBPY_OT_listen"
        for window in windows
        for operator in window.modal_operators
    )


async def press(key: str) -> None:
    """Press a key over the viewport."""
    await uitest.until(lambda: ears() == 1)
    await uitest.move(*uitest.centre())
    await uitest.press(key)


async def test_the_example_of_listeners_runs() -> None:
    script = await run(LISTENERS)
    await press('A')
    await press('SPACE')
    await script.task
    assert script.printed == ["Space key was pressed"]
    assert not bpy.context.screen.is_animation_playing, "Blender did not get it"
    await uitest.until(lambda: ears() == 0)


async def test_the_example_of_dialogs_runs() -> None:
    script = await run(DIALOGS)
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)
    await uitest.press('RET')
    await script.task
    assert script.printed == ["{'my_float': 0.5, 'my_bool': False, 'my_string': 'text'}"]
    script = await run(DIALOGS)
    await uitest.until(lambda: any(popup.is_shown for popup in popups._open.values()))
    await uitest.passes(3)
    await uitest.press('ESC')
    await script.task
    assert script.printed == ["None"]


def told(script: Any, lines: int) -> bool:
    """Whether a script has printed so many lines."""
    return len(script.printed) == lines


async def test_the_example_of_handlers_runs() -> None:
    script = await run(APP_EVENTS)
    for number in range(1, 4):
        await uitest.until(partial(told, script, number))
        bpy.context.scene.frame_set(number + 1)
    await script.task
    assert script.printed == ["Please change Frame"] * 3


@asynccontextmanager
async def servers() -> AsyncIterator[dict[str, str]]:
    """Run one that has a feed, and one that says nothing."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b"<title>News</title><title>A new Blender</title>"
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as feed,
        await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent,
    ):
        ports = [server.sockets[0].getsockname()[1] for server in (feed, silent)]
        addresses = [f"http://127.0.0.1:{port}/" for port in ports]
        yield dict(zip(("feed", "silent"), addresses, strict=True))


async def test_the_demonstration_runs() -> None:
    async with servers() as addresses:
        script = await run(DEMONSTRATION, **addresses)
        await press('SPACE')
        await uitest.until(lambda: "News A new Blender" in script.printed)
        await press('SPACE')
        await script.task
    assert script.printed == [
        "AsyncIO Demonstration",
        "Press 'Space' to continue...",
        "Basic Timeouts",
        "Count down 2...",
        "Count down 1...",
        "Count down 0...",
        "HTTP Requests",
        "Sorry, server couldn't be reached.",
        "News A new Blender",
        "HTTP Server",
        "Put some text here!",
    ]
    assert bpy.data.texts["input"].as_string() == "Put some text here!"


def browser() -> Any:
    """The file browser that is open: its window, area and region; None if none is."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'FILE_BROWSER' and area.spaces.active.active_operator is not None:
                region = next(region for region in area.regions if region.type == 'WINDOW')
                return {"window": window, "area": area, "region": region}
    return None


async def test_two_file_dialogs_do_not_clobber_each_other() -> None:
    script = await run(FILES)
    for deed in ("execute", "cancel"):
        place = await uitest.until(browser)
        space = place["area"].spaces.active
        await uitest.passes(5)
        assert space.params is not None
        space.params.directory = b"/tmp/"
        space.params.filename = "notes.txt"
        await uitest.passes(5)
        with bpy.context.temp_override(**place):
            getattr(bpy.ops.file, deed)()
    await asyncio.gather(script.task, script.other)
    assert script.printed == ["/tmp/notes.txt", "None"]


async def test_one_listener_has_an_event() -> None:
    never = BlenderListener("SPACE", callback=lambda event: event.shift)
    first, second = BlenderListener("SPACE", catch=True), BlenderListener("SPACE")
    everything = BlenderListener()
    assert [one.id for one in (first, second)] == [never.id + 1, never.id + 2]
    await press('SPACE')
    await asyncio.wait_for(first.wait(), 5)
    assert not second.flag.is_set()
    assert not never.flag.is_set()
    assert never.event is not None
    assert not first.flag.is_set(), "it is cleared by itself"
    await press('B')
    await asyncio.wait_for(everything.wait(), 5)
    await uitest.press('ESC')
    everything.clear()
    for listener in (never, first, second, everything):
        listener.remove()
        listener.remove()
    await uitest.until(lambda: ears() == 0)


async def test_a_callback_that_fails_ends_its_listener_alone() -> None:
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    broken = BlenderListener("SPACE", callback=lambda _event: bool(1 / 0))
    whole = BlenderListener("SPACE", catch=True)
    await press('SPACE')
    await asyncio.wait_for(whole.wait(), 5)
    loop.set_exception_handler(before)
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
    assert list(broken.operator.listeners.values()) == [whole]
    whole.remove()


async def test_listeners_go_with_their_add_on() -> None:
    with owners.owner("old_add_on") as owner:
        listener = BlenderListener("SPACE")
    await uitest.until(lambda: ears() == 1)
    host.release(owner)
    assert listener.operator.listeners == {}
    await uitest.until(lambda: ears() == 0)


async def test_a_handler_waited_for_in_vain_does_no_harm() -> None:
    given_up = app_handler("frame_change_post")
    given_up.cancel()
    waiting = app_handler("frame_change_post")
    bpy.context.scene.frame_set(7)
    [scene] = await asyncio.wait_for(waiting, 5)
    assert scene == bpy.context.scene
    updated = app_handler("scene_update_post")
    bpy.context.object.location.x += 1
    await asyncio.wait_for(updated, 5)
    with pytest.raises(ValueError, match="frame_change"):
        app_handler("frame_change")


async def test_a_handler_survives_a_file_load() -> None:
    waiting = app_handler("frame_change_post")
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.context.scene.frame_set(3)
    await asyncio.wait_for(waiting, 5)


async def test_what_is_fired_by_hand_reaches_those_who_wait() -> None:
    handler = blender_async.handlers.AppHandler("save_post")
    waiting, given_up = handler.wait(), handler.wait()
    given_up.cancel()
    handler.fire("by hand")
    assert await waiting == ("by hand",)
    await asyncio.sleep(0)
    assert handler.futures == set()
    blender_async.handlers.install_handlers()


async def test_a_future_is_found_by_its_number() -> None:
    future = BlenderFuture()
    assert BlenderFuture.futures[future.id] is future
    future.set_result(1)
    assert await future == 1
    number = future.id
    del future
    assert number not in BlenderFuture.futures


async def test_the_older_names_are_there() -> None:
    asyncio_bridge.ensure_running()
    loop = blender_async.get_event_loop()
    assert loop is asyncio.get_running_loop()
    assert loop is host.loop()
    assert asyncio_bridge.event_queue.empty()
    asyncio_bridge.unregister()
    assert not hasattr(bpy.types, "BPY_OT_start_asyncio_bridge")
    asyncio_bridge.unregister()
    asyncio_bridge.register()
    assert bpy.ops.bpy.start_asyncio_bridge() == {'FINISHED'}
