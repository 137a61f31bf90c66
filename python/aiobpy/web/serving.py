"""From a request to the task that answers it. Called by the loop, in the loop."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from aiobpy import owners
from aiobpy.rpc import Problem

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Coroutine

    from aiobpy._native import Exchange

    Answering = Callable[[Exchange], Coroutine[Any, Any, None]]

JSON: Final = ("content-type", "application/json")
PROBLEM: Final = ("content-type", "application/problem+json")


def add(answer: Answering, owner: owners.Owner) -> int:
    """Keep what answers a route, for an add-on, and return its number."""
    number = next(_numbers)
    _handlers[number] = (answer, owner)
    return number


def remove(number: int) -> None:
    """Forget what answers a route. What it is answering goes on."""
    _handlers.pop(number, None)


def begin(exchange: Exchange) -> None:
    """Have a request answered by a task that belongs to the handler's add-on."""
    found = _handlers.get(exchange.handler)
    if found is None:
        refuse(exchange, _taken_down())
        return
    answer, owner = found
    context: contextvars.Context = owners.context_for(owner)
    loop = asyncio.get_running_loop()
    task = loop.create_task(_answered(exchange, answer(exchange)), context=context)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def refuse(exchange: Exchange, problem: Problem) -> None:
    """Answer with a problem, if no answer has begun."""
    if not exchange.has_started:
        exchange.respond(problem.status, [PROBLEM], problem.to_json().encode())


async def _answered(exchange: Exchange, answer: Awaitable[None]) -> None:
    try:
        await answer
    except asyncio.CancelledError:
        refuse(exchange, _cancelled())
        raise
    except Problem as problem:
        refuse(exchange, problem)
    except Exception as error:
        loop = asyncio.get_running_loop()
        what = f"the handler of {exchange.method} {exchange.path} failed"
        loop.call_exception_handler({"message": what, "exception": error})
        refuse(exchange, _failed(exchange, error))


def _failed(exchange: Exchange, error: Exception) -> Problem:
    return Problem(
        f"the handler of {json.dumps(exchange.path)} raised {type(error).__name__}",
        status=500,
        kind="handler-failed",
        title="The handler failed",
        hint="Blender's console shows where",
    )


def _cancelled() -> Problem:
    return Problem(
        "the handler was cancelled before it answered, as when its add-on is disabled",
        status=503,
        kind="handler-cancelled",
        title="The handler was cancelled",
    )


def _taken_down() -> Problem:
    return Problem(
        "the site was taken down before the request was answered",
        status=404,
        kind="unknown-address",
        title="No such address",
    )


_handlers: dict[int, tuple[Answering, owners.Owner]] = {}
_numbers = itertools.count(1)
_tasks: set[asyncio.Task[None]] = set()
"""Held here, because a loop holds its tasks weakly."""
