"""Runs in an instance of Blender that another process has started: opens a file, and serves.

What it has to know, its token among it, comes as one line through its standard input; nobody else
can read that, as they could its arguments. When the other end closes, as when the other process
dies, a thread that knows nothing of Python kills this one, and all that it has started.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

import aiobpy
import aiobpy.server
from aiobpy._native import WorkerLink
from aiobpy.fleet.wire import CALL, MARK, QUIT
from aiobpy.rpc import registered

if TYPE_CHECKING:
    from types import ModuleType


def main() -> None:
    """Serve until told to quit, then end the process."""
    # Ctrl-C in a terminal is for the one who has started us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = WorkerLink()
    told = json.loads(link.receive() or "{}")
    try:
        prepared = _prepare(told)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        _say({"problem": text})
        _leave(1)
    aiobpy.run(_serve(told["token"], prepared))
    _leave(0)


def _prepare(told: dict[str, Any]) -> list[ModuleType]:
    """Open the file and import the modules, whose methods are offered then."""
    sys.path[:0] = [path for path in told["paths"] if path not in sys.path]
    if told["file"] is None:
        bpy.ops.wm.read_factory_settings(use_empty=False)
    else:
        bpy.ops.wm.open_mainfile(
            filepath=told["file"], load_ui=False, use_scripts=told["use_scripts"]
        )
    return [_load(name) for name in told["modules"]]


def _load(name: str) -> ModuleType:
    """Import a module by its name, or a file of Python by its path."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        msg = f"there is no module {name}"
        raise ModuleNotFoundError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


async def _serve(token: str, modules: list[ModuleType]) -> None:
    over = asyncio.Event()

    @aiobpy.rpc(name=CALL, long=True, tool=False)
    async def call(function: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call a function of a module."""
        result = _find(function, modules)(*arguments, **keywords)
        return await result if inspect.isawaitable(result) else result

    @aiobpy.rpc(name=QUIT, tool=False)
    def leave() -> None:
        """Have this instance end."""
        over.set()

    loop = asyncio.get_running_loop()
    assert isinstance(loop, aiobpy.EventLoop)
    server = aiobpy.server.start(token=token, announced=False, loop=loop)
    methods = {
        name: list(inspect.signature(function).parameters)
        for name, function in registered().items()
    }
    version = ".".join(map(str, bpy.app.version))
    _say({"address": server.address, "methods": methods, "blender": version, "pid": os.getpid()})
    await over.wait()
    # The answer to that is still on its way.
    await asyncio.sleep(0)
    aiobpy.server.stop()


def _find(name: str, modules: list[ModuleType]) -> Any:
    """Return a function: `module:function`, or one of the modules that were named.

    Raises:
        aiobpy.Problem: There is none.
    """
    place, _, attribute = name.rpartition(":")
    searched = [importlib.import_module(place)] if place else modules
    for module in searched:
        if callable(found := getattr(module, attribute, None)):
            return found
    names = ", ".join(module.__name__ for module in searched) or "no module"
    msg = f"there is no function {attribute!r} in {names}"
    raise aiobpy.Problem(
        msg,
        status=404,
        kind="unknown-function",
        title="No such function",
        hint="name its module: instance(modules=[…]), or run('module:function')",
    )


def _say(value: dict[str, Any]) -> None:
    # What was printed before may not have ended its line.
    print(f"\n{MARK}{json.dumps(value)}", flush=True)  # noqa: T201 - to who has started us


def _leave(code: int) -> None:
    """End the process now: Blender's own way out may crash or hang with handlers of ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
