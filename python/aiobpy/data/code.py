"""Python of a client, run in Blender: what the scope `exec` is for.

Names live on between calls of one namespace. What the code prints is its own, also while other
tasks print; the value of a last expression comes back; `await` may stand anywhere.
"""

from __future__ import annotations

import ast
import asyncio
import collections
import contextlib
import contextvars
import inspect
import io
import itertools
import linecache
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, Final

import bpy

import aiobpy
from aiobpy.data import problems, steps, values
from aiobpy.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

MOST_NAMESPACES: Final = 16
"""The one that was used longest ago is forgotten for a new one."""

MOST_PRINTED: Final = 1 << 20
"""Characters that come back of what the code prints."""

_RETURNED: Final = "_"


async def run(
    code: str, args: dict[str, Any] | None = None, namespace: str = "main", *, undo: bool = True
) -> dict[str, Any]:
    """Run Python, and return what it has printed and the value of its last expression.

    Args:
        code: Statements; the last may be an expression, whose value also has the name `_` then.
        args: Names and values to be there before.
        namespace: Names of an earlier call with the same `namespace` are there, as are `bpy` and
            `aiobpy`.
        undo: Whether it is one undo step; also if it fails, for what it holds must live on.

    Returns:
        `{result, repr, printed, namespace, seconds}`; `result` is what JSON can say of the value,
        null if that is nothing, and `repr` how Python shows it.

    Raises:
        Problem: 422, it is no Python, or it raised: `crash_text` has the traceback.
    """
    name = f"<exec {namespace} {next(_numbers)}>"
    body, last = _compiled(code, name)
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    names = _namespace(namespace)
    names.update(args or {})
    printed = _Printed()
    began = time.monotonic()
    try:
        async with steps.step(f"Python ({namespace})", is_wanted=undo) as step:
            step.has_begun = True
            with _printing_to(printed):
                value = await _evaluate(body, last, names)
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        # Also SystemExit: a client does not end Blender by that.
        raise _failed(error, name, printed) from None
    finally:
        linecache.cache.pop(name, None)
    names[_RETURNED] = value
    return {
        "result": _plain(value),
        "repr": None if value is None else _shown(value),
        "printed": printed.text(),
        "namespace": namespace,
        "seconds": time.monotonic() - began,
    }


def forget(namespace: str) -> None:
    """Forget the names of a namespace.

    Raises:
        Problem: 404, there is none.
    """
    if _namespaces.pop(namespace, None) is None:
        msg = f"there is no namespace {namespace!r}"
        raise problems.unknown(msg, namespace, _namespaces)


def namespaces() -> list[str]:
    """Return the namespaces that there are, the one used last at the end."""
    return list(_namespaces)


def _compiled(code: str, name: str) -> tuple[CodeType, CodeType | None]:
    try:
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        body = compile(tree, name, "exec", flags)
        if not isinstance(last, ast.Expr):
            return body, None
        return body, compile(ast.Expression(last.value), name, "eval", flags)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = Problem(
            f"the code is no Python: {error}", status=422, kind="no-python", title="No Python"
        )
        problem.traceback = "".join(traceback.format_exception_only(error))
        raise problem from None


async def _evaluate(body: CodeType, last: CodeType | None, names: dict[str, Any]) -> Any:
    value = None
    for code in (body, last):
        if code is not None:
            value = eval(code, names)  # noqa: S307 - it is what the client may do
            if code.co_flags & inspect.CO_COROUTINE:
                value = await value
    return value if last is not None else None


def _namespace(name: str) -> dict[str, Any]:
    names = _namespaces.pop(name, None)
    if names is None:
        names = {"__name__": f"aiobpy_exec_{name}", "bpy": bpy, "aiobpy": aiobpy}
        while len(_namespaces) >= MOST_NAMESPACES:
            _namespaces.popitem(last=False)
    _namespaces[name] = names
    return names


def _failed(error: BaseException, name: str, printed: _Printed) -> Problem:
    problem = Problem(
        f"the code raised {type(error).__name__}: {error}",
        status=422,
        kind="code-failed",
        title="The code failed",
    )
    tail = error.__traceback__
    while tail is not None and tail.tb_frame.f_code.co_filename != name:
        tail = tail.tb_next
    lines = traceback.format_exception(type(error), error, tail)
    problem.traceback = printed.text() + "".join(lines)
    return problem


def _plain(value: Any) -> Any:
    return _said(value, depth=6)


def _said(value: Any, depth: int) -> Any:
    if isinstance(value, dict) and depth:
        return {str(key): _said(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_said(item, depth - 1) for item in value]
    if isinstance(value, bpy.types.ID):
        return values.pointer(value)
    if hasattr(value, "tolist"):
        return _said(value.tolist(), depth)
    if type(value).__module__ in ("mathutils", "builtins") and hasattr(value, "to_tuple"):
        return [values.plain_number(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return values.custom(value)
    return None


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= 10_000 else f"{text[:10_000]}…"


class _Printed:
    """What one call has printed, as far as it is kept."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._left = MOST_PRINTED

    def write(self, text: str) -> None:
        self._text.write(text[: self._left])
        self._left -= min(self._left, len(text))

    def text(self) -> str:
        return self._text.getvalue() + ("" if self._left else "\n… and more")


class _Switch(io.TextIOBase):
    """Stands for a standard stream: each task that runs code of a client prints to its own."""

    def __init__(self, usual: Any) -> None:
        self.usual = usual

    def write(self, text: str, /) -> int:
        printed = _printed.get()
        if printed is None:
            return int(self.usual.write(text) or 0)
        printed.write(text)
        return len(text)

    def flush(self) -> None:
        self.usual.flush()


@contextlib.contextmanager
def _printing_to(printed: _Printed) -> Iterator[None]:
    global _running
    if _running == 0:
        sys.stdout, sys.stderr = _Switch(sys.stdout), _Switch(sys.stderr)
    _running += 1
    token = _printed.set(printed)
    try:
        yield
    finally:
        _printed.reset(token)
        _running -= 1
        if _running == 0:
            for name in ("stdout", "stderr"):
                if isinstance(switch := getattr(sys, name), _Switch):
                    setattr(sys, name, switch.usual)


_printed: contextvars.ContextVar[_Printed | None] = contextvars.ContextVar("printed", default=None)
_running = 0
_namespaces: collections.OrderedDict[str, dict[str, Any]] = collections.OrderedDict()
_numbers = itertools.count(1)
