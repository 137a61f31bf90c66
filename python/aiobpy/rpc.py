"""Methods that programs call over HTTP: `POST /api/v1/rpc/{method}`.

A method is a typed function, sync or async. It runs on Blender's main thread, where it may use
`bpy`; a coroutine runs as a task of the loop. Parameters are checked against the annotations before
it is called. What is wrong is answered as a problem (RFC 9457), in words.
"""

from __future__ import annotations

import asyncio
import difflib
import inspect
import json
import re
import traceback
import typing
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from aiobpy import owners, schema, values
from aiobpy._native import ParamsCheck
from aiobpy.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Problem(Exception):
    """Raised by a method to tell its client what is wrong: `raise Problem("there is no such cup")`.

    Args:
        detail: What was wrong, with what.
        status: The HTTP status, 400 to 599.
        kind: A short word for the kind of problem, for programs.
        title: The kind in words; the same for all problems of one kind.
        hint: What to do next.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int = 400,
        kind: str = "refused",
        title: str = "The method refused",
        hint: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.kind = kind
        self.title = title
        self.hint = hint
        self.errors: list[tuple[str, str]] = []
        """What is wrong with single values, and why: JSON pointers into the body, or the names of
        parameters in a path or a query."""
        self.traceback: str | None = None

    def to_json(self) -> str:
        """Return the problem as RFC 9457 has it."""
        problem: dict[str, Any] = {
            "type": self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.hint is not None:
            problem["hint"] = self.hint
        if self.errors:
            problem["errors"] = [
                {_kind_of_place(place): place, "detail": detail} for place, detail in self.errors
            ]
        if self.traceback is not None:
            problem["crash_text"] = self.traceback
        return json.dumps(problem)


class Answer(Protocol):
    """Where the answer to one call goes."""

    def send(self, json: str, /) -> None:
        """Answer with the text of a JSON value."""

    def fail(self, problem: str, /) -> None:
        """Answer with the text of a problem object."""


@overload
def rpc(function: _Function, /) -> _Function: ...


@overload
def rpc(*, name: str) -> Callable[[_Function], _Function]: ...


def rpc(function: _Function | None = None, /, *, name: str | None = None) -> Any:
    """Offer a function to programs: `@aiobpy.rpc` or `@aiobpy.rpc(name="my_addon.render")`.

    A function that is defined again, as when its add-on is reloaded, takes the place of the one
    before it. It is offered for as long as its add-on is enabled.

    Args:
        function: A typed function, sync or async, whose parameters can be given by name.
        name: Names with dots between them; the function's own name if left out.

    Raises:
        ValueError: The name is taken by another function, or is no name.
        TypeError: A parameter has no annotation, or one that JSON cannot give a value for.
    """
    if function is None:
        return lambda function: _register(function, function.__name__ if name is None else name)
    return _register(function, function.__name__)


def remove(function: Callable[..., Any]) -> None:
    """Offer a function no more, under none of its names. Calls under way go on."""
    for name in [name for name, method in _methods.items() if method.function is function]:
        del _methods[name]


def registered() -> Mapping[str, Callable[..., Any]]:
    """Return the functions that are offered, by name."""
    return {name: method.function for name, method in _methods.items() if method.is_offered}


def dispatch(name: str, params: str, answer: Answer) -> None:
    """Call a method and see that `answer` gets its result, now or when its coroutine ends.

    Called by the loop, in the loop.

    Args:
        name: The method's.
        params: The text of a JSON object.
        answer: Is answered once.
    """
    try:
        method = _find(name)
        result = method.call(params)
    except Exception as error:
        answer.fail(_problem_of(name, error).to_json())
        return
    if inspect.isawaitable(result):
        task = asyncio.ensure_future(_answer_with(name, result, answer))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
    else:
        _send(name, result, answer)


class _Method:
    """A function and what its parameters may be."""

    def __init__(self, function: Callable[..., Any]) -> None:
        params_schema = schema.of_function(function)
        self.function = function
        self.annotations = typing.get_type_hints(function, include_extras=True)
        self.parameters: list[str] = list(params_schema["properties"])
        self.check = ParamsCheck(json.dumps(params_schema))
        self.is_offered = False
        """Not before it is registered, nor while its add-on is disabled."""

    def call(self, params: str) -> Any:
        """Call the function with a JSON object.

        Raises:
            Problem: The parameters do not fit.
        """
        return self.function(**self.arguments(params))

    def arguments(self, params: str) -> dict[str, Any]:
        """Return the function's arguments.

        Raises:
            Problem: They do not fit.
        """
        given: dict[str, Any] = json.loads(params)
        wrong = [
            (f"/{_escaped(name)}", f"there is no such parameter; {_near(name, self.parameters)}")
            for name in given
            if name not in self.parameters
        ]
        wrong += self.check.wrong(params)
        if wrong:
            raise _unfit(wrong)
        try:
            return values.members_from_json(given, self.annotations)
        except values.UnfitError as error:
            raise _unfit([(error.pointer, str(error))]) from error


_methods: dict[str, _Method] = {}
_tasks: set[asyncio.Future[None]] = set()
"""Held here, because a loop holds its tasks weakly."""

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def _register(function: _Function, name: str) -> _Function:
    if not _NAME.fullmatch(name):
        msg = f"{name!r} is no name of a method; use words with dots between them, as in 'cup.fill'"
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
    _methods[name] = method = _Method(function)
    owner = owners.current()
    owner.on_enable(f"rpc {name}", lambda: _offer(method, owner))
    _offer(method, owner)
    return function


def _offer(method: _Method, owner: owners.Owner) -> None:
    """Offer a method until its owner goes."""
    if not method.is_offered:
        method.is_offered = True
        owner.on_release(lambda: setattr(method, "is_offered", False))


def _origin_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _find(name: str) -> _Method:
    method = _methods.get(name)
    if method is None or not method.is_offered:
        raise Problem(
            f"there is no method {name!r}",
            status=404,
            kind="unknown-method",
            title="No such method",
            hint=_near(name, list(registered())),
        )
    return method


async def _answer_with(name: str, result: Awaitable[Any], answer: Answer) -> None:
    try:
        value = await result
    except asyncio.CancelledError:
        answer.fail(_cancelled(name).to_json())
        raise
    except Exception as error:
        answer.fail(_problem_of(name, error).to_json())
    else:
        _send(name, value, answer)


def _send(name: str, value: Any, answer: Answer) -> None:
    try:
        text = dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        answer.fail(_unspeakable(name, error).to_json())
    else:
        answer.send(text)


def _problem_of(name: str, error: Exception) -> Problem:
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


def _cancelled(name: str) -> Problem:
    return Problem(
        f"the method {name!r} was cancelled before it ended",
        status=503,
        kind="method-cancelled",
        title="The method was cancelled",
    )


def _unfit(wrong: list[tuple[str, str]]) -> Problem:
    count = "a parameter" if len(wrong) == 1 else f"{len(wrong)} parameters"
    problem = Problem(
        f"{count} cannot be used as given",
        status=422,
        kind="invalid-params",
        title="The parameters do not fit the method",
    )
    problem.errors = wrong
    return problem


def _unspeakable(name: str, error: Exception) -> Problem:
    return Problem(
        f"the method {name!r} returned what JSON cannot say: {error}",
        status=500,
        kind="unspeakable-result",
        title="The result cannot be sent",
        hint="have it return numbers, text, lists, dicts with text as keys, or dataclasses",
    )


def _near(name: str, known: list[str]) -> str:
    if not known:
        return "there are none"
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return "did you mean " + " or ".join(repr(match) for match in near) + "?"
    return "there are: " + ", ".join(repr(other) for other in sorted(known))


def _kind_of_place(place: str) -> str:
    return "pointer" if not place or place.startswith("/") else "parameter"


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
