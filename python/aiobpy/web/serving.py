"""From a request to the function or the task that answers it. Called by the loop, in the loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import itertools
from typing import TYPE_CHECKING, Any, Final

from aiobpy import owners, tracing
from aiobpy.rpc import Problem
from aiobpy.web import problems
from aiobpy.web.responses import Stream, pour, send
from aiobpy.web.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiobpy._native import Exchange
    from aiobpy.web.binding import Binding
    from aiobpy.web.lifespan import Lifespan

    Begin = Callable[[Exchange], object]

_PROBLEM: Final = ("content-type", "application/problem+json")
_UNAVAILABLE: Final = 503
_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001
_FAILED: Final = 1011


def add(begin: Begin) -> int:
    """Keep what begins to answer the requests of a route, and return its number."""
    number = next(_numbers)
    _handlers[number] = begin
    return number


def remove(number: int) -> None:
    """Forget what answers a route. What it is answering goes on."""
    handler = _handlers.pop(number, None)
    if (close := getattr(handler, "close", None)) is not None:
        close()


def begin(exchange: Exchange) -> None:
    """Have a request answered."""
    handler = _handlers.get(exchange.handler)
    if handler is None:
        refuse(exchange, problems.taken_down())
        exchange.end()
    else:
        handler(exchange)


class Room:
    """The requests under way of one site, and the context that their handlers run in."""

    def __init__(self, owner: owners.Owner) -> None:
        self.context = contextvars.Context().run(owners.context_for, owner)
        self.tasks: set[asyncio.Task[None]] = set()
        """Held here, because a loop holds its tasks weakly."""

        self.lives: set[Lifespan] = set()
        """Those of its applications."""
        self.life_tasks: set[asyncio.Task[None]] = set()
        self.is_open = False
        """Whether its site is up."""

    def context_of(self, exchange: Exchange) -> contextvars.Context:
        """Return a context for the handler of a request."""
        context = self.context.copy()
        context.run(tracing.trace.set, exchange.trace)
        return context

    def close(self) -> None:
        """Cancel what answers the requests under way, and end the applications."""
        self.is_open = False
        for task in list(self.tasks):
            task.cancel()
        for life in self.lives:
            life.end()

    async def settled(self) -> None:
        """Wait until nothing of it goes on."""
        while going_on := self.tasks | self.life_tasks:
            await asyncio.wait(going_on)

    def start(
        self,
        exchange: Exchange,
        answering: Coroutine[Any, Any, None],
        context: contextvars.Context,
    ) -> asyncio.Task[None]:
        """Have a task of the site answer a request; it has taken its first step by now."""
        loop: Any = asyncio.get_running_loop()
        task: asyncio.Task[None] = loop._start_task(answering, context)
        if task.done():
            self._ended(exchange, task)
        else:
            self.tasks.add(task)
            task.add_done_callback(functools.partial(self._ended, exchange))
        return task

    def _ended(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled():
            # Perhaps before it has begun.
            refuse(exchange, problems.cancelled())
            exchange.end()


class FunctionHandler:
    """Answers requests by what a function returns."""

    def __init__(
        self,
        function: Callable[..., Any],
        binding: Binding,
        room: Room,
        *,
        cancel_on_disconnect: bool,
    ) -> None:
        self.function = function
        self.binding = binding
        self.room = room
        self.cancel_on_disconnect = cancel_on_disconnect
        self._is_async = inspect.iscoroutinefunction(function)

    def __call__(self, exchange: Exchange) -> None:
        context = self.room.context_of(exchange)
        try:
            arguments = self.binding.arguments(exchange)
            if self._is_async:
                going_on = self._answer(exchange, arguments)
            else:
                result = context.run(self.function, **arguments)
                stream = None if inspect.isawaitable(result) else send(exchange, result)
                if stream is not None:
                    going_on = self._pour(exchange, stream)
                elif exchange.is_complete:
                    exchange.end()
                    return
                else:
                    going_on = self._answer_with(exchange, result)
        except Exception as error:
            fail(exchange, error)
            exchange.end()
            return
        task = self.room.start(exchange, going_on, context)
        if self.cancel_on_disconnect and not task.done():
            exchange.on_gone(task.cancel)

    async def _answer(self, exchange: Exchange, arguments: dict[str, Any]) -> None:
        # Not called before: a task that is cancelled before it begins leaves no coroutine behind.
        await self._answer_with(exchange, self.function(**arguments))

    async def _answer_with(self, exchange: Exchange, awaitable: Any) -> None:
        try:
            result = await awaitable
            if (stream := send(exchange, result)) is not None:
                await pour(exchange, stream)
        except BaseException as error:
            fail(exchange, error)
            if not isinstance(error, Exception):
                raise
        finally:
            exchange.end()

    async def _pour(self, exchange: Exchange, stream: Stream) -> None:
        try:
            await pour(exchange, stream)
        except BaseException as error:
            fail(exchange, error)
            if not isinstance(error, Exception):
                raise
        finally:
            exchange.end()


class SocketHandler:
    """Has a coroutine function answer WebSockets."""

    def __init__(self, function: Callable[..., Any], binding: Binding, room: Room) -> None:
        self.function = function
        self.binding = binding
        self.room = room

    def __call__(self, exchange: Exchange) -> None:
        try:
            arguments = self.binding.arguments(exchange)
        except Exception as error:
            fail(exchange, error)
            exchange.end()
            return
        answering = self._answer(exchange, arguments)
        task = self.room.start(exchange, answering, self.room.context_of(exchange))
        sockets = [given for given in arguments.values() if isinstance(given, WebSocket)]

        def cancel_unless_told() -> None:
            # Whoever waits for a message hears of the end by that.
            if not any(socket.is_receiving for socket in sockets):
                task.cancel()

        if not task.done():
            exchange.on_gone(cancel_unless_told)

    async def _answer(self, exchange: Exchange, arguments: dict[str, Any]) -> None:
        try:
            await self.function(**arguments)
            finish(exchange, problems.unaccepted)
        except BaseException as error:
            fail(exchange, error)
            if not isinstance(error, Exception):
                raise
        finally:
            exchange.end()


def finish(exchange: Exchange, unanswered: Callable[[], Problem]) -> None:
    """See to what a handler has left undone when it has ended well.

    Args:
        exchange: What it has answered.
        unanswered: Returns what the client is told if it has not.
    """
    if exchange.is_complete:
        return
    if not exchange.has_started:
        refuse(exchange, unanswered())
    elif exchange.is_websocket:
        close(exchange, _NORMAL)


def close(exchange: Exchange, code: int) -> None:
    """Close a WebSocket that is open."""
    if not (exchange.is_gone or exchange.is_complete):
        exchange.send({"type": "websocket.close", "code": code})


def refuse(exchange: Exchange, problem: Problem) -> None:
    """Answer with a problem, if no answer has begun."""
    if not exchange.has_started:
        headers = [_PROBLEM]
        if problem.status == _UNAVAILABLE:
            headers.append(("retry-after", "1"))
        exchange.respond(problem.status, headers, problem.to_json().encode())


def fail(exchange: Exchange, error: BaseException) -> None:
    """Tell the client what a handler raised, and the console if it is nothing for the client."""
    code = _FAILED
    if isinstance(error, Problem):
        refuse(exchange, error)
    elif isinstance(error, asyncio.CancelledError):
        refuse(exchange, problems.cancelled())
        code = _GOING_AWAY
    elif isinstance(error, OSError) and exchange.is_gone:
        # Nobody is there to be told: clients go when they like.
        return
    else:
        what = f"the handler of {exchange.method} {exchange.path} failed"
        context = {"message": what, "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        refuse(exchange, problems.failed(exchange, error))
    if exchange.is_websocket:
        close(exchange, code)


_handlers: dict[int, Begin] = {}
_numbers = itertools.count(1)
