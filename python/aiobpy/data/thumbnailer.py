"""A Blender in the background that makes small pictures, so that this one need not read images.

It starts with the first order and ends when none has come for a while.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import bpy

from aiobpy.data import problems, shrinking
from aiobpy.process import process

_IDLE: Final = 60.0
"""Seconds without an order after which it ends."""

_Orders = asyncio.Queue[tuple[dict[str, Any], "asyncio.Future[str | None]"]]


async def make(order: dict[str, Any]) -> None:
    """Have a picture made, after those that were ordered before.

    Args:
        order: As `shrinking` has it.

    Raises:
        Problem: 409, there is nothing to see.
        OSError: No other Blender can be started here.
        NotImplementedError: This system has no child processes.
    """
    global _orders, _task
    loop = asyncio.get_running_loop()
    if _orders is None or _task is None or _task.done() or _task.get_loop() is not loop:
        _orders = asyncio.Queue()
        _task = loop.create_task(_serve(_orders), name="small pictures")
    answer: asyncio.Future[str | None] = loop.create_future()
    _orders.put_nowait((order, answer))
    why_not = await answer
    if why_not is not None:
        raise problems.conflict(f"there is nothing to see: {why_not}")


async def close() -> None:
    """End the other Blender, if there is one; it starts again with the next order."""
    if _task is not None:
        _task.cancel()
        await asyncio.wait([_task])


async def _serve(orders: _Orders) -> None:
    """Have a child do what is ordered, one after the other."""
    answer: asyncio.Future[str | None] | None = None
    try:
        async with process(*_command(), check=False) as child:
            lines = aiter(child)
            while True:
                try:
                    order, asked = await asyncio.wait_for(orders.get(), _IDLE)
                except TimeoutError:
                    break
                if asked.done():
                    continue
                answer = asked
                await child.write(json.dumps(order) + "\n")
                async for line in lines:
                    if line.startswith(shrinking.ANSWER):
                        _tell(asked, json.loads(line.removeprefix(shrinking.ANSWER)))
                        break
                else:
                    _tell(asked, "the Blender that looked at it has ended")
                    break
            _close(orders)
    except (OSError, NotImplementedError) as error:
        _fail(orders, answer, error)
    finally:
        _close(orders)
        _fail(orders, answer, ConnectionError("small pictures are not made any more"))


def _tell(answer: asyncio.Future[str | None], why_not: str | None) -> None:
    if not answer.done():
        answer.set_result(why_not)


def _fail(orders: _Orders, answer: asyncio.Future[str | None] | None, error: BaseException) -> None:
    """Tell all who wait."""
    waiting = [] if answer is None else [answer]
    while not orders.empty():
        waiting.append(orders.get_nowait()[1])
    for one in waiting:
        if not one.done():
            one.set_exception(error)


def _close(orders: _Orders) -> None:
    """Whoever orders from now on has another child started."""
    global _orders
    if _orders is orders:
        _orders = None


def _command() -> list[str]:
    program = str(Path(shrinking.__file__))
    if bpy.app.binary_path:
        options = ["--background", "--factory-startup", "--quiet", "--python", program]
        if bpy.app.version < (4, 3, 0):
            options.remove("--quiet")
        return [bpy.app.binary_path, *options]
    return [sys.executable, program]


_orders: _Orders | None = None
_task: asyncio.Task[None] | None = None
"""Held here, because a loop holds its tasks weakly."""
