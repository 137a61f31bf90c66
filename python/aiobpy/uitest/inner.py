"""Runs inside Blender: runs one test after another as pytest, outside, asks for them.

It is a task of the shared loop, like those of the add-ons that are tested.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import faulthandler
import functools
import io
import json
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy import host
from aiobpy.uitest import pictures, recording, rewriting, simulation
from aiobpy.uitest.waiting import passes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from types import ModuleType

_GOODBYE: Final = 5.0
"""Seconds that cancelled tasks have for their `finally` blocks."""
_FROZEN: Final = 5.0
"""Seconds that a test is late when a main thread that does not answer prints where it is."""

_modules: dict[str, ModuleType] = {}
_reported: list[str] = []


def start(descriptor: int, output: str) -> None:
    """Begin to answer at a socket; Blender is left when the other end hangs up.

    Args:
        descriptor: The socket's.
        output: The folder for pictures.
    """
    # Python's stack alone: that of C is Blender's own to print.
    options = {"c_stack": False} if sys.version_info >= (3, 14) else {}
    faulthandler.enable(**options)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    pictures.output = Path(output)
    view = bpy.context.preferences.view
    view.show_splash = False
    # What comes by itself, or moves, would be different each time.
    view.show_tooltips = False
    view.smooth_view = 0
    view.use_save_prompt = False
    # The next start is to be like the first.
    bpy.context.preferences.use_preferences_save = False
    # A menu within a menu opens when it is clicked, not when the pointer passes it.
    view.open_sublevel_delay = 40
    # Software GL draws each pixel as often as it is sampled.
    bpy.context.preferences.system.viewport_aa = 'OFF'
    host.spawn(_serve(socket.socket(fileno=descriptor)), name="aiobpy.uitest")


async def _serve(wire: socket.socket) -> None:
    host.on_shut_down(functools.partial(_hang_up, wire.dup()))
    reader, writer = await asyncio.open_connection(sock=wire)
    while line := await reader.readline():
        question = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"result": await _STEPS[question["step"]](**question["arguments"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    writer.close()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.quit_blender()


def _hang_up(wire: socket.socket) -> None:
    """Tell pytest that nobody answers any more: a test, or what it tests, has ended the loop."""
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()


async def _ready() -> str:
    await passes(10)
    return str(bpy.app.version_string)


async def _run(
    path: str, source: str, name: str, arguments: str, timeout: float, picture: str
) -> dict[str, Any]:
    """Run one test on the factory settings' file, and say how it went.

    Args:
        path: The test's file, outside.
        source: Its text.
        name: The test's function.
        arguments: A dictionary of plain values, as it is written in Python.
        timeout: Seconds that the test may take.
        picture: Where to save a picture when it fails.
    """
    await _reset()
    others = asyncio.all_tasks()
    faulthandler.dump_traceback_later(timeout + _FROZEN, file=sys.stderr)
    try:
        module = _modules.get(path) or _modules.setdefault(path, rewriting.module_of(path, source))
        test = getattr(module, name)(**ast.literal_eval(arguments))
        await _in_time(test, timeout)
        await _check_that_nothing_is_left(others)
        answer: dict[str, Any] = {"outcome": "passed"}
    except asyncio.CancelledError:
        # We are: the loop is being shut down.
        raise
    # What pytest skips and fails with are no Exceptions.
    except BaseException as error:
        answer = _failure(error, path, picture)
        await _end(asyncio.all_tasks() - others)
    finally:
        faulthandler.cancel_dump_traceback_later()
    answer["compared"] = recording.take_recorded()
    return answer


async def _reset() -> None:
    # The test before may have set its own.
    asyncio.get_running_loop().set_exception_handler(_note_problem)
    _reported.clear()
    recording.take_recorded()
    simulation.forget_pointer()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    await passes(3)
    simulation.simulate('MOUSEMOVE', 'NOTHING')
    await passes(1)


async def _in_time(test: Awaitable[Any], timeout: float) -> None:
    """Run a test as a task of its own.

    Raises:
        BaseException: What the test raised.
        TimeoutError: It took too long; the cause shows where it was.
    """
    where: list[asyncio.CancelledError] = []

    async def run() -> None:
        try:
            await test
        except asyncio.CancelledError as error:
            where.append(error)
            raise

    task = asyncio.ensure_future(run())
    await asyncio.wait([task], timeout=timeout)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_GOODBYE)
        msg = f"the test took longer than {timeout:g} s"
        if not task.done():
            msg += f", and has not ended {_GOODBYE:g} s after it was cancelled"
        raise TimeoutError(msg) from (where[0] if where else None)
    if task.cancelled():
        msg = "the test was cancelled, by itself or by what it did"
        raise RuntimeError(msg) from (where[0] if where else None)
    task.result()


async def _check_that_nothing_is_left(others: set[asyncio.Task[Any]]) -> None:
    """Fail if tasks are left over, or if something went wrong that nobody awaited."""
    # What the test did last has its effect within its own time, be it that Blender ends.
    await passes(2)
    if left := asyncio.all_tasks() - others:
        # Those that have been told to end have not all heard of it yet.
        _, left = await asyncio.wait(left, timeout=0.5)
    if left:
        names = "\n  ".join(f"{task.get_name()}: {task.get_coro()}" for task in left)
        msg = f"the test left tasks running, which it should await or cancel:\n  {names}"
        raise AssertionError(msg)
    if _reported:
        msg = "the loop was told of errors that nobody awaited:\n" + "\n".join(_reported)
        raise AssertionError(msg)


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_GOODBYE)


def _failure(error: BaseException, path: str, picture: str) -> dict[str, Any]:
    kind = type(error).__name__
    if kind in {"Skipped", "XFailed"}:
        return {"outcome": kind.lower(), "message": str(error)}
    saved = None
    try:
        saved = str(pictures.save(picture).relative_to(str(pictures.output)))
    except Exception:
        traceback.print_exc()
    return {
        "outcome": "failed",
        "message": (str(error) if kind == "Failed" else f"{kind}: {error}").partition("\n")[0],
        "traceback": "".join(traceback.format_exception(_without_our_frames(error, path))),
        "picture": saved,
    }


def _without_our_frames(error: BaseException, path: str) -> BaseException:
    """The error as it came out of the test: what called the test is of no interest."""
    entry = error.__traceback__
    while entry is not None and entry.tb_frame.f_code.co_filename != path:
        entry = entry.tb_next
    if error.__cause__ is not None:
        error.__cause__ = _without_our_frames(error.__cause__, path)
    return error.with_traceback(entry)


def _note_problem(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    lines = [str(context.get("message")), *(traceback.format_exception(error) if error else ())]
    _reported.append("\n".join(line.rstrip("\n") for line in lines))


_STEPS: Final[Mapping[str, Callable[..., Coroutine[Any, Any, Any]]]] = {
    "ready": _ready,
    "run": _run,
}
