"""Methods that programs call: over REST, JSON-RPC and as tools of the Model Context Protocol.

A method is a typed function, sync or async. It runs on Blender's main thread, where it may use
`bpy`; a coroutine runs as a task of the loop that belongs to the method's add-on. Parameters are
checked against the annotations before it is called. What is wrong is answered as a problem (RFC
9457), in words.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import inspect
import itertools
import json
import re
import traceback
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from aiobpy import owners, progress, server, tracing
from aiobpy.json_text import dumps
from aiobpy.methods import SCOPES, Manner, Method, Scope
from aiobpy.problem import Problem, cancelled, not_allowed, unknown_method, unspeakable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = [
    "Answer",
    "Problem",
    "Telling",
    "ask",
    "call",
    "cancel",
    "current",
    "dispatch",
    "find",
    "problem_of",
    "registered",
    "remove",
    "replied",
    "rpc",
]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Offered(Protocol):
    """What is offered, and by whom."""

    @property
    def name(self) -> str:
        """As programs know it."""

    @property
    def owner(self) -> owners.Owner:
        """The add-on."""

    @property
    def is_long(self) -> bool:
        """Whether the panel shows it while it runs."""


class Answer(Protocol):
    """Where the answer to one call goes."""

    @property
    def number(self) -> int:
        """Names the call in `cancel`."""

    @property
    def trace(self) -> str | None:
        """The value of a `traceparent` header for what is done in its name."""

    def send(self, json: str, /) -> None:
        """Answer with the text of a JSON value."""

    def fail(self, problem: str, /) -> None:
        """Answer with the text of a problem object."""

    def may(self, scope: str, /) -> bool:
        """Return whether whoever asks has a scope."""

    def begin(self) -> None:
        """Say that the parameters fit, and the method begins."""

    def progress(self, fraction: float | None, text: str, /) -> None:
        """Say how far the method has come."""

    def log(self, level: str, data: str, /) -> None:
        """Send a client that logs a message: a level of syslog's, and the text of a JSON value."""

    def ask(self, number: int, method: str, params: str, /) -> bool:
        """Ask the client something; return whether there is one to ask."""


@overload
def rpc(function: _Function, /) -> _Function: ...


@overload
def rpc(
    *,
    name: str | None = None,
    scope: Scope = "control",
    long: bool = False,
    tool: bool = True,
    title: str | None = None,
    description: str | None = None,
    read_only: bool | None = None,
    destructive: bool | None = None,
    idempotent: bool | None = None,
    open_world: bool | None = None,
    params: dict[str, Any] | None = None,
) -> Callable[[_Function], _Function]: ...


def rpc(
    function: _Function | None = None,
    /,
    *,
    name: str | None = None,
    scope: Scope = "control",
    long: bool = False,
    tool: bool = True,
    title: str | None = None,
    description: str | None = None,
    read_only: bool | None = None,
    destructive: bool | None = None,
    idempotent: bool | None = None,
    open_world: bool | None = None,
    params: dict[str, Any] | None = None,
) -> Any:
    """Offer a function to programs: `@aiobpy.rpc` or `@aiobpy.rpc(name="my_addon.render")`.

    A function that is defined again, as when its add-on is reloaded, takes the place of the one
    before it. It is offered for as long as its add-on is enabled.

    Args:
        function: A typed function, sync or async, whose parameters can be given by name.
        name: Names with dots between them; the function's own name if left out.
        scope: What a client needs to be allowed.
        long: Whether it takes long: REST and JSON-RPC answer at once, with an operation whose
            progress (`aiobpy.set_progress`) clients follow, and which they may cancel.
        tool: Whether language models may call it, by the Model Context Protocol.
        title: What a person calls it.
        description: What it does; the docstring without its sections if left out.
        read_only: Whether it changes nothing.
        destructive: Whether it may destroy what was there.
        idempotent: Whether calling it twice does no more than calling it once.
        open_world: Whether it reaches out, as to the internet.
        params: The JSON Schema of its parameters, if the annotations cannot say all.

    Raises:
        ValueError: The name is taken by another function, or is no name; or there is no such scope.
        TypeError: A parameter has no annotation, or one that JSON cannot give a value for.
    """
    manner = Manner(
        scope=scope,
        is_long=long,
        is_tool=tool,
        title=title,
        description=description,
        read_only=read_only,
        destructive=destructive,
        idempotent=idempotent,
        open_world=open_world,
        params=params,
    )
    if function is None:
        return lambda function: _register(
            function, function.__name__ if name is None else name, manner
        )
    return _register(function, function.__name__, manner)


def remove(function: Callable[..., Any]) -> None:
    """Offer a function no more, under none of its names. Calls under way go on."""
    for method in [method for method in _methods.values() if method.function is function]:
        _withdraw(method)
        del _methods[method.name]


def registered() -> Mapping[str, Callable[..., Any]]:
    """Return the functions that are offered, by name."""
    return {name: method.function for name, method in _methods.items() if method.is_offered}


def find(name: str, answer: Answer) -> Method:
    """Return a method that whoever asks may call.

    Raises:
        Problem: There is none.
    """
    method = _methods.get(name)
    if method is None or not method.is_offered:
        raise unknown_method(name, list(registered()))
    if not answer.may(method.manner.scope):
        raise not_allowed(name, method.manner.scope)
    return method


def dispatch(name: str, params: str, answer: Answer) -> None:
    """Call a method and see that `answer` gets its result, now or when its coroutine ends.

    Called by the loop, in the loop.

    Args:
        name: The method's. With a slash in it, it is one of the Model Context Protocol's own.
        params: The text of a JSON object or array.
        answer: Is answered once.
    """
    if "/" in name:
        importlib.import_module("aiobpy.mcp.serving").dispatch(name, params, answer)
        return
    telling = _InJson(name, answer)
    try:
        method = find(name, answer)
        call(method.function, method.arguments(params), answer, telling, method)
    except Exception as error:
        telling.failed(error)


class Telling(Protocol):
    """How the end of a call is told."""

    def done(self, value: Any, /) -> None:
        """Tell what was returned."""

    def failed(self, error: BaseException, /) -> None:
        """Tell what was raised."""


def call(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    answer: Answer,
    telling: Telling,
    of: Offered,
) -> None:
    """Call a function for its add-on, and tell of its end, now or when its coroutine ends.

    Raises:
        Exception: As the function, if it is none of coroutines.
    """
    work, context = progress.begin(of.name, of.owner)
    work.follow = answer.progress
    context.run(_answer.set, answer)
    context.run(tracing.trace.set, answer.trace)
    answer.begin()
    result = context.run(function, **arguments)
    if not inspect.isawaitable(result):
        telling.done(result)
        return
    task = asyncio.get_running_loop().create_task(_tell(result, telling), context=context)
    if of.is_long:
        progress.note_task(task, work)
    number = answer.number
    _running[number] = task
    task.add_done_callback(lambda _task: _running.pop(number, None))


def cancel(number: int) -> None:
    """Cancel the call of that number, if it still runs. Called by the loop, in the loop."""
    task = _running.get(number)
    if task is not None:
        task.cancel()


def replied(question: int, answer: str | None, problem: str | None) -> None:
    """Hand on what a client has answered to a question. Called by the loop, in the loop."""
    future = _questions.pop(question, None)
    if future is None or future.done():
        return
    if answer is not None:
        future.set_result(json.loads(answer))
    else:
        told = json.loads(problem or "{}")
        future.set_exception(
            Problem(told.get("detail", "the client refused"), kind="client-refused", status=502)
        )


async def ask(method: str, params: Any) -> Any:
    """Ask the client that calls the method that runs; return what it answers.

    Raises:
        Problem: It refuses, or nobody is there to ask.
    """
    answer = current()
    number = next(_question_numbers)
    _questions[number] = future = asyncio.get_running_loop().create_future()
    try:
        if answer is None or not answer.ask(number, method, json.dumps(params)):
            msg = "there is nobody to ask: the client does not speak the Model Context Protocol"
            raise Problem(msg, kind="nobody-to-ask", title="Nobody to ask")
        return await future
    finally:
        _questions.pop(number, None)


def current() -> Answer | None:
    """Return where the answer of the method that runs goes."""
    return _answer.get()


_methods: dict[str, Method] = {}
_running: dict[int, asyncio.Task[None]] = {}
"""The calls that are under way. Held here, because a loop holds its tasks weakly."""
_questions: dict[int, asyncio.Future[Any]] = {}
_question_numbers = itertools.count(1)
_answer: contextvars.ContextVar[Answer | None] = contextvars.ContextVar("answer", default=None)

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def _register(function: _Function, name: str, manner: Manner) -> _Function:
    if not _NAME.fullmatch(name):
        msg = f"{name!r} is no name of a method; use words with dots between them, as in 'cup.fill'"
        raise ValueError(msg)
    if manner.scope not in SCOPES:
        msg = f"{manner.scope!r} is no scope; use one of {', '.join(SCOPES)}"
        raise ValueError(msg)
    known = _methods.get(name)
    if (
        known is not None
        and known.is_offered
        and _origin_of(known.function) != _origin_of(function)
    ):
        msg = (
            f"the RPC method {name!r} is already offered by {_origin_of(known.function)}; prefix "
            f"yours with your add-on's name, as in 'my_addon.{name}'"
        )
        raise ValueError(msg)
    _methods[name] = method = Method(name, function, owners.current(), manner)
    method.owner.on_enable(f"rpc {name}", lambda: _offer(method))
    _offer(method)
    return function


def _offer(method: Method) -> None:
    """Offer a method until its owner goes."""
    if not method.is_offered:
        method.is_offered = True
        server.offers.put(method.describe())
        method.owner.on_release(lambda: _withdraw(method))


def _withdraw(method: Method) -> None:
    method.is_offered = False
    # Another may have taken its place.
    if _methods.get(method.name) is method:
        server.offers.remove("method", method.name)


def _origin_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


async def _tell(result: Awaitable[Any], telling: Telling) -> None:
    try:
        value = await result
    except asyncio.CancelledError as error:
        telling.failed(error)
        raise
    except Exception as error:
        telling.failed(error)
    else:
        telling.done(value)


class _InJson:
    """Tells a call's end as REST and JSON-RPC have it."""

    def __init__(self, name: str, answer: Answer) -> None:
        self._name = name
        self._answer = answer

    def done(self, value: Any) -> None:
        try:
            text = dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            self.failed(unspeakable(self._name, error))
        else:
            self._answer.send(text)

    def failed(self, error: BaseException) -> None:
        self._answer.fail(problem_of(self._name, error).to_json())


def problem_of(name: str, error: BaseException) -> Problem:
    """Return what a client is told of an exception of a method; the console is told more."""
    if isinstance(error, asyncio.CancelledError):
        return cancelled(name)
    if isinstance(error, Problem):
        return error
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": f"the RPC method {name!r} failed", "exception": error})
    text = f": {error}" if str(error) else ""
    problem = Problem(
        f"the method {name!r} raised {type(error).__name__}{text}",
        status=500,
        kind="method-failed",
        title="The method failed",
        hint="Blender's console shows where",
    )
    if loop.get_debug():
        problem.traceback = "".join(traceback.format_exception(error))
    return problem
