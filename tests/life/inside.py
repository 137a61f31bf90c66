"""What the life test does inside Blender: a round of 26 steps, and what is left after it."""

import asyncio
import collections
import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import bpy

import aiobpy
from aiobpy import owners, uitest
from aiobpy.rpc import registered

Operate = Callable[[], object]
THINGS = {"life_feed": 3, "life_clock": 4}
NAMES = tuple(THINGS)


async def install(add_ons: dict[str, str]) -> None:
    """Put the add-ons where Blender looks for them."""
    folder = Path(bpy.utils.user_resource('SCRIPTS', path="addons", create=True))
    for name, source in add_ons.items():
        (folder / f"{name}.py").write_text(source)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    await outside_of_the_loop(lambda: bpy.ops.preferences.addon_refresh())


async def keep_enabled() -> None:
    """Have both enabled when Blender starts, and off until then."""
    modules = Path(bpy.utils.user_resource('SCRIPTS', path="modules", create=True))
    (modules / "aiobpy").symlink_to(Path(aiobpy.__file__).parent)
    for name in NAMES:
        await enable(name)
    await outside_of_the_loop(lambda: bpy.ops.wm.save_userpref())
    for name in NAMES:
        await disable(name)


async def both_go_on() -> None:
    """Both have begun with Blender."""
    assert [name for name in NAMES if not is_enabled(name)] == []
    await check("the start")


async def one_round(folder: str) -> None:
    """Go through all that may happen to add-ons in a day. After each step, what runs has to run."""
    file = str(Path(folder) / "life.blend")
    await check("the beginning")
    await enable("life_feed")
    await enable("life_clock")
    await step("new file", lambda: bpy.ops.wm.read_homefile())
    await press_and_check("add", lambda: bpy.ops.life.feed())
    await uitest.press('Z', ctrl=True)
    await check("undo by key")
    await uitest.press('Z', ctrl=True, shift=True)
    await check("redo by key")
    await step("save", lambda: bpy.ops.wm.save_as_mainfile(filepath=file))
    await step("open", lambda: bpy.ops.wm.open_mainfile(filepath=file))
    await workspace("Modeling")
    await step("new window", lambda: bpy.ops.wm.window_new_main())
    await step("undo with two windows", lambda: undo(1))
    await step("close a window", close_a_window)
    await disable("life_feed")
    await update("life_feed")
    # Blender refuses to reload while anybody has a modal operator, as who listens for keys has.
    await disable("life_clock")
    await step("reload scripts", lambda: bpy.ops.script.reload())
    await enable("life_clock")
    await within_the_loop("open from a task", lambda: bpy.ops.wm.open_mainfile(filepath=file))
    await step("factory file", lambda: bpy.ops.wm.read_homefile(use_factory_startup=True))
    await step("template", lambda: bpy.ops.wm.read_homefile(app_template="2D_Animation"))
    await step("no template", lambda: bpy.ops.wm.read_homefile(app_template=""))
    await step("full screen", lambda: bpy.ops.screen.screen_full_area())
    await step("back", lambda: bpy.ops.screen.back_to_previous())
    await disable("life_clock")
    await step("many undos", lambda: undo(10))
    await disable("life_feed")


async def what_is_left() -> None:
    """Blender and the loop know no more of us than they did the first time."""
    gc.collect()
    await uitest.passes(3)
    now = left()
    assert now["tasks"] == []
    assert now["owners"] == []
    assert now == known.setdefault("at first", now)


known: dict[str, dict[str, list[str]]] = {}


def left() -> dict[str, list[str]]:
    """Name what is registered in Blender, and what goes on in the loop."""
    # Of the plugin: one that answers pytest, and ours.
    runners = {task for task in asyncio.all_tasks() if task.get_name() == "aiobpy.uitest"}
    if (ours := asyncio.current_task()) is not None:
        runners.add(ours)
    return {
        "classes": [name for name in dir(bpy.types) if name.startswith(("AIOBPY", "LIFE"))],
        "handlers": sorted(
            f"{name}: {function.__module__}.{function.__qualname__}"
            for name in dir(bpy.app.handlers)
            if isinstance(functions := getattr(bpy.app.handlers, name), list)
            for function in functions
            if function.__module__.startswith(("aiobpy", "life"))
        ),
        "methods": [name for name in registered() if name.startswith("life.")],
        "timers": sorted(
            f"{thing.__module__}.{thing.__qualname__}"
            for thing in gc.get_objects()
            if callable(thing)
            and str(getattr(thing, "__module__", "")).startswith(("aiobpy", "life"))
            and hasattr(thing, "__qualname__")
            and bpy.app.timers.is_registered(thing)
        ),
        "tasks": sorted(task.get_name() for task in asyncio.all_tasks() if task not in runners),
        "owners": sorted(
            owner.name for owner in owners.everyone() if owner.name in NAMES and not owner.is_idle()
        ),
        "threads": [thread.name for thread in threading.enumerate()],
        "windows": [str(len(bpy.context.window_manager.windows))],
    }


async def step(what: str, operate: Operate) -> None:
    """Have Blender do something as from a menu, and check that what runs goes on."""
    await outside_of_the_loop(operate)
    await check(what)


async def within_the_loop(what: str, operate: Operate) -> None:
    """Have a task do something, and check that what runs goes on."""
    with aiobpy.context():
        operate()
    await check(what)


async def press_and_check(what: str, operate: Operate) -> None:
    """Do something that can be undone."""
    await outside_of_the_loop(operate)
    await uitest.move(*uitest.centre())
    await check(what)


async def enable(name: str) -> None:
    """Tick an add-on in the preferences."""
    await step(f"enable {name}", lambda: bpy.ops.preferences.addon_enable(module=name))
    assert is_enabled(name)
    while len(sys.modules[name].beats) < THINGS[name]:
        await happen()


async def update(name: str) -> None:
    """Enable a newer version, as Blender does when it updates one."""
    module = sys.modules[name]
    file, before = str(module.__file__), module.beats
    # Blender loads a module anew when its file has another time.
    os.utime(file, (0, os.stat(file).st_mtime + 2))
    await enable(name)
    assert module.beats is not before, f"{name} was not loaded anew"


async def disable(name: str) -> None:
    """Untick it; all that it had going on has ended."""
    module = sys.modules[name]
    before = len(module.ended)
    await outside_of_the_loop(lambda: bpy.ops.preferences.addon_disable(module=name))
    assert not is_enabled(name)
    assert len(module.ended) > before, f"{name}: its tasks have not run their `finally`"
    assert owners.of(name).is_idle(), f"{name} still has {vars(owners.of(name))}"
    counted = dict(module.beats)
    await check(f"disable {name}")
    assert counted == dict(module.beats), f"{name} goes on"


async def workspace(name: str) -> None:
    """Go to another workspace, as by a click on its tab."""

    def change() -> None:
        uitest.window().workspace = bpy.data.workspaces[name]

    await outside_of_the_loop(change)
    await uitest.until(lambda: uitest.window().workspace.name == name)
    await check(f"workspace {name}")


async def check(what: str) -> None:
    """Wait until all that the enabled add-ons do has been done again."""
    await uitest.passes(3)
    assert ("life.beats" in registered()) == is_enabled("life_feed"), f"after {what}"
    before = beats()
    try:
        async with asyncio.timeout(30):
            while not all(count > before[key] for key, count in beats().items()):
                await happen()
    except TimeoutError as error:
        msg = f"after {what}, some stand still: {before} became {beats()}"
        raise AssertionError(msg) from error


async def happen() -> None:
    """Give those that listen something to hear."""
    await uitest.press('F19')
    bpy.context.scene.frame_set(bpy.context.scene.frame_current % 100 + 1)


def beats() -> collections.Counter[tuple[str, str]]:
    """How often each thing that the enabled add-ons do has been done."""
    return collections.Counter(
        {
            (name, thing): count
            for name in NAMES
            if is_enabled(name)
            for thing, count in sys.modules[name].beats.items()
        }
    )


async def outside_of_the_loop(operate: Operate) -> None:
    """Have Blender run a function as it does an operator of its own, with no task around it."""
    done = asyncio.get_running_loop().create_future()

    def run() -> None:
        try:
            area = max(
                (area for area in uitest.window().screen.areas), key=lambda a: a.width * a.height
            )
            with bpy.context.temp_override(window=uitest.window(), area=area):
                operate()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    bpy.app.timers.register(run, first_interval=0.0, persistent=True)
    await done


def undo(steps: int) -> None:
    """Go back so many steps, as far as there are any."""
    for _ in range(steps):
        if bpy.ops.ed.undo.poll():
            bpy.ops.ed.undo()


def close_a_window() -> None:
    """Close the window that was opened last."""
    window = uitest.window(len(bpy.context.window_manager.windows) - 1)
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()


def is_enabled(name: str) -> bool:
    """Return whether Blender has it enabled."""
    return bool(getattr(sys.modules.get(name), "__addon_enabled__", False))
