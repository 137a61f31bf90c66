"""Another Blender, started and controlled by this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aiobpy import fleet
from tests.fleet.running import run
from tests.host.program import pythons

METHODS = '''
import asyncio, os, subprocess, sys
import bpy
import aiobpy

@aiobpy.rpc(name="cups.add")
def add(name: str, height: float = 1.0) -> dict[str, object]:
    cup = bpy.data.objects.new(name, None)
    cup.empty_display_size = height
    bpy.context.scene.collection.objects.link(cup)
    print("added", cup.name)
    aiobpy.publish("cups.added", {"name": cup.name})
    return {"name": cup.name, "height": cup.empty_display_size}

@aiobpy.rpc(name="cups.wash", long=True)
async def wash(times: int) -> int:
    for time in range(times):
        aiobpy.set_progress((time + 1) / times, f"cup {time + 1}")
        await asyncio.sleep(0)
    return times

@aiobpy.rpc(name="cups.dry", long=True)
async def dry() -> None:
    aiobpy.publish("cups.drying")
    try:
        await asyncio.Event().wait()
    finally:
        aiobpy.publish("cups.dropped")

@aiobpy.rpc(name="cups.refuse")
def refuse() -> None:
    raise aiobpy.Problem("there is no such cup", hint="buy one")

def names() -> list[str]:
    return sorted(thing.name for thing in bpy.data.objects)

async def double(number: int, *, times: int = 2) -> int:
    await asyncio.sleep(0)
    return number * times

def start_something() -> int:
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid

def end_badly() -> None:
    print("the last words", flush=True)
    os.abort()
'''


@pytest.fixture
def methods(tmp_path: Path) -> Path:
    """A file of Python with methods."""
    path = tmp_path / "cups.py"
    path.write_text(METHODS)
    return path


@pytest.fixture(autouse=True)
def folder_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep discovery files to the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_file_is_opened_and_methods_are_called(methods: Path, tmp_path: Path) -> None:
    scene = tmp_path / "scene.blend"
    make = "import bpy, sys; bpy.data.objects['Cube'].name = 'Tray'; " + (
        "bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1]); import os; os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", make, scene], check=True, capture_output=True)

    async def main() -> None:
        said: list[tuple[float | None, str]] = []
        heard: list[str] = []
        async with fleet.instance(scene, modules=[methods], on_line=heard.append) as other:
            assert other.blender_version.startswith(("4.", "5."))
            assert other.pid != os.getpid()
            assert await other.run("names") == ["Camera", "Light", "Tray"]
            cup = await other.rpc.cups.add("Blue", height=2)
            assert cup == {"name": "Blue", "height": 2.0}
            assert await other.run("double", 4, times=3) == 12
            assert await other.run("os.path:basename", "/a/b") == "b"
            washed = await other.call(
                "cups.wash", {"times": 3}, on_progress=lambda *a: said.append(a)
            )
            assert washed == 3
            assert said[-1] == (1.0, "cup 3")
            assert "version" in await other.status()
            command = Path(f"/proc/{other.pid}/cmdline").read_bytes()  # noqa: ASYNC240
            environment = Path(f"/proc/{other.pid}/environ").read_bytes()  # noqa: ASYNC240
            token = other._calls._server._open().address.token.encode()
            assert token not in command + environment
            assert "aiobpy" not in os.listdir(tmp_path), "it is announced to nobody"
        assert other.returncode == 0
        assert "added Blue" in heard
        assert "added Blue" in other.lines
        assert not [line for line in heard if "aiobpy-instance" in line]

    run(main())


def test_another_version_is_controlled_from_a_loop_of_asyncio(methods: Path) -> None:
    other_python = pythons()["bpy-4.5"]
    if not other_python.exists():
        pytest.fail(f"`{other_python}` is missing; `cargo xtask setup` makes it")

    async def main() -> None:
        async with fleet.instance(modules=[methods], blender=other_python) as other:
            assert other.blender_version.startswith("4.5")
            assert await other.rpc.cups.wash(times=2) == 2
        assert other.returncode == 0

    asyncio.run(main())


def test_what_goes_wrong_over_there_is_told_here(methods: Path) -> None:
    async def main() -> None:
        async with fleet.instance(modules=[methods]) as other:
            with pytest.raises(fleet.Refused, match="there is no such cup") as caught:
                await other.rpc.cups.refuse()
            assert caught.value.problem.hint == "buy one"
            with pytest.raises(fleet.NotFound, match="there is no method"):
                await other.rpc.cups.fill()
            with pytest.raises(fleet.InvalidRequest, match="/height"):
                await other.rpc.cups.add("Blue", height="tall")
            with pytest.raises(TypeError, match="takes 2 arguments, and 3 are given"):
                await other.rpc.cups.add("Blue", 1, 2)
            with pytest.raises(TypeError, match="given 'name' twice"):
                await other.rpc.cups.add("Blue", name="Red")
            with pytest.raises(fleet.NotFound, match="there is no function 'absent' in cups"):
                await other.run("absent")
            with pytest.raises(fleet.InstanceEnded, match="the last words") as ended:
                await other.run("end_badly")
            assert ended.value.returncode == -signal.SIGABRT
            with pytest.raises(fleet.InstanceEnded):
                await other.status()

    run(main())


def test_one_that_does_not_get_ready_says_why(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("print('about to fail')\n1 / 0\n")

    async def main() -> None:
        with pytest.raises(fleet.InstanceEnded, match="ZeroDivisionError") as caught:
            await fleet.instance(modules=[bad]).__aenter__()
        assert "about to fail" in caught.value.lines
        with pytest.raises(FileNotFoundError, match="there is no file"):
            await fleet.instance(tmp_path / "none.blend").__aenter__()
        with pytest.raises(FileNotFoundError):
            await fleet.instance(blender=tmp_path / "none").__aenter__()

    run(main())


def test_events_come_and_a_cancelled_call_is_cancelled_there(methods: Path) -> None:
    async def main() -> None:
        async with fleet.instance(modules=[methods]) as other:
            topics = []
            task = None
            async with contextlib.aclosing(other.events("cups")) as events:
                first = asyncio.ensure_future(anext(events))
                # Who listens is known there once something else is answered after it.
                while not first.done():
                    await other.rpc.cups.add("Blue")
                topics.append((await first).data["topic"])
                task = asyncio.ensure_future(other.rpc.cups.dry())
                async for event in events:
                    topics.append(event.data["topic"])
                    if event.data["topic"] == "cups.drying":
                        task.cancel()
                    if event.data["topic"] == "cups.dropped":
                        break
            with pytest.raises(asyncio.CancelledError):
                await task
            assert topics[0] == "cups.added"
            assert topics[-2:] == ["cups.drying", "cups.dropped"]

    run(main())


def ended(pid: int) -> bool:
    """Wait for the end of a process."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([process], [], [], 30)
        return bool(readable)
    finally:
        os.close(process)


def test_what_it_has_started_ends_with_it(methods: Path) -> None:
    async def main() -> int:
        async with fleet.instance(modules=[methods]) as other:
            pid: int = await other.run("start_something")
        return pid

    assert ended(run(main()))


def test_nothing_is_left_when_the_parent_is_killed(methods: Path) -> None:
    program = f"""
import asyncio, json, os
import aiobpy
from aiobpy import fleet
from tests.fleet.running import run
from tests.host.program import pythons

async def main():
    async with fleet.instance(modules=[{str(methods)!r}]) as other:
        print(json.dumps([other.pid, await other.run("start_something")]), flush=True)
        await asyncio.Event().wait()

aiobpy.run(main())
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        parent.kill()
    assert all(ended(pid) for pid in pids)
