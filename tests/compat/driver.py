"""Runs inside Blender, with windows or without: runs code as Blender itself does, outside the loop.

With windows a timer of its own takes turns with the shared loop's. Without, it runs the loop while
it waits: nobody else does.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import sys
import traceback
import warnings
from types import ModuleType
from typing import Any

import bpy


def run(name: str, code: str) -> list[str]:
    """Run code as a script; return what it printed to its end."""
    # Not by a name that a module of Python's has.
    module = ModuleType(f"script_{name}")
    sys.modules[module.__name__] = module
    vars(module)["print"] = lambda *words: printed.append(" ".join(map(str, words)))
    printed.clear()
    modules[name] = vars(module)
    exec(compile(code, name, "exec"), vars(module))
    return list(printed)


def evaluate(name: str, expression: str) -> Any:
    """Return the value of an expression among the names of a script."""
    return eval(expression, {"bpy": bpy, "sys": sys, "asyncio": asyncio, **modules.get(name, {})})


def until(name: str, expression: str) -> Any:
    """Return the value of an expression as soon as it is true. Blender goes on meanwhile."""
    return lambda: evaluate(name, expression)


def has_printed(line: str) -> Any:
    """Return all that was printed as soon as a line has been."""
    return lambda: line in printed and list(printed)


def leave() -> None:
    """End this Blender: one with windows as a person would, the module at once."""
    if bpy.app.background:
        sys.stdout.flush()
        # Past Blender's own end, which may hang or crash when Python callbacks are left.
        os._exit(0)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.quit_blender()


def begin(question: dict[str, Any]) -> None:
    """Do a step; its value may be a condition, which is the value when it is true."""
    global condition
    try:
        result = globals()[question["step"]](**question["arguments"])
    except Exception:
        answer({"error": traceback.format_exc()})
        return
    if callable(result):
        condition = result
    else:
        answer({"result": result})


def check() -> None:
    """Answer if what is waited for is there."""
    global condition
    try:
        value = condition()
    except Exception:
        condition = None
        answer({"error": traceback.format_exc()})
        return
    if value:
        condition = None
        answer({"result": value})


def answer(message: dict[str, Any]) -> None:
    """Tell the test. A message fits into the socket's buffer."""
    wire.sendall(json.dumps(message).encode() + b"\n")


def look() -> bool:
    """Look for the next question; return whether the test is still there."""
    global received
    more = wire.recv(65536)
    received += more
    line, newline, rest = received.partition(b"\n")
    if newline:
        received = rest
        begin(json.loads(line))
    return bool(more)


def tick() -> float | None:
    """Take a turn."""
    if condition is not None:
        check()
    elif select.select([wire], [], [], 0)[0] and not look():
        leave()
        return None
    return 0.0


def take_turns() -> None:
    """Do as Blender's main loop does, until the test hangs up."""
    from aiobpy import host

    while True:
        host.loop().run_ready()
        if condition is not None:
            check()
        elif select.select([wire], [], [], 0)[0] and not look():
            leave()
        # Blender's main loop idles in the same way.
        host.loop()._wait_for_ready(0.005)


warnings.simplefilter("error")
wire = socket.socket(fileno=int(sys.argv[-1]))
received = b""
printed: list[str] = []
modules: dict[str, dict[str, Any]] = {}
condition: Any = None
if bpy.app.background:
    take_turns()
else:
    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(tick, first_interval=0.0, persistent=True)
