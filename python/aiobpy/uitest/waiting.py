"""Waits for Blender: some turns of its main loop, or until something holds."""

from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import reprlib
from typing import TYPE_CHECKING, Any

from aiobpy import main_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


async def passes(number: int = 1) -> None:
    """Wait until Blender's main loop has gone round so often.

    One pass handles the events that are waiting, runs timers, and draws. What was simulated before
    the first pass has been handled after it, and is to be seen after the second.
    """
    for _ in range(number):
        await main_loop.frame()


async def until(condition: Callable[[], Any], *, timeout: float = 10.0) -> Any:
    """Wait until `condition()` is true, and return what it returned. It is asked once a pass.

    Args:
        condition: Usually a lambda; the error quotes it.
        timeout: Seconds to wait at most.

    Raises:
        TimeoutError: It was not true in time; the text says what it was.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while not (result := condition()):
        if loop.time() >= end:
            msg = f"after {timeout:g} s this did not hold: {_described(condition, result)}"
            raise TimeoutError(msg)
        await passes(1)
    return result


def _described(condition: Callable[[], Any], result: Any) -> str:
    tree, text = _source(condition)
    if tree is None or not isinstance(tree.body, ast.Compare):
        return f"{text}\nit was {reprlib.repr(result)}"
    return "\n".join([text, *_sides(condition, tree.body)])


def _sides(condition: Callable[[], Any], comparison: ast.Compare) -> list[str]:
    """What the two sides of a comparison were, unless they stand in the text as they are."""
    captured = inspect.getclosurevars(condition).nonlocals
    lines = []
    for side in (comparison.left, *comparison.comparators):
        if isinstance(side, ast.Constant):
            continue
        compiled = compile(ast.Expression(side), "<condition>", "eval")
        try:
            value = eval(compiled, condition.__globals__, captured)
        except Exception as error:
            value = error
        lines.append(f"{ast.unparse(side)} was {reprlib.repr(value)}")
    return lines


def _source(condition: Callable[[], Any]) -> tuple[ast.Lambda | None, str]:
    """The lambda as it was parsed, and its body as it was written; for others the name."""
    name = getattr(condition, "__qualname__", repr(condition))
    code: CodeType | None = getattr(condition, "__code__", None)
    if code is None or code.co_name != "<lambda>":
        return None, f"{name}()"
    text = "".join(linecache.getlines(code.co_filename))
    try:
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]
    except SyntaxError:
        return None, name
    for node in nodes:
        if node.lineno == code.co_firstlineno and _is_from(node, code):
            return node, ast.get_source_segment(text, node.body) or name
    return None, name


def _is_from(node: ast.Lambda, code: CodeType) -> bool:
    """Whether all of the code stands within the node: there may be several on a line."""
    spans = [span for span in code.co_positions() if span[2] is not None and span[3] is not None]
    begin = (node.body.lineno, node.body.col_offset)
    end = (node.body.end_lineno or 0, node.body.end_col_offset or 0)
    return all(
        begin <= (line or 0, column or 0) and (last or 0, last_column or 0) <= end
        for line, last, column, last_column in spans
        if (line, column) != (code.co_firstlineno, 0)
    )
