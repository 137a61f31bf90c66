"""Functions in files that the server trusts, called by their names."""

from __future__ import annotations

import inspect
import json
import typing
from typing import TYPE_CHECKING, Any

from aiobpy import schema, templates, values
from aiobpy._native import ParamsCheck
from aiobpy.worker import problems
from aiobpy.worker.places import places

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy.worker.output import Output

_TEMPLATE = "builtin/run"


def call(file: str, name: str, arguments: dict[str, Any], output: Output) -> Any:
    """Call a function and return what it returns.

    Args:
        file: Its file, by the path in a folder that is trusted.
        name: Its own.
        arguments: As JSON has them.
        output: For a parameter of that type.

    Raises:
        JobError: It is not there, not trusted, or takes other arguments.
    """
    function = _find(file, name)
    hints = typing.get_type_hints(function, include_extras=True)
    taker = templates.output_parameter_of(function)
    try:
        described = schema.of_function(function, without=taker)
    except schema.UnknownAnnotationError as error:
        raise _unfit(str(error), "function") from None
    if wrong := ParamsCheck(json.dumps(described)).wrong(json.dumps(arguments)):
        pointer, detail = wrong[0]
        raise _unfit(detail, f"arguments{pointer}")
    try:
        given = values.members_from_json(arguments, hints)
    except values.UnfitError as error:
        raise _unfit(str(error), f"arguments{error.pointer}") from None
    if taker is not None:
        given[taker] = output
    return function(**given)


def _find(file: str, name: str) -> Callable[..., Any]:
    try:
        module = templates.load_module(places.code(file))
    except (ValueError, templates.TemplateError) as error:
        raise _unfit(str(error), "file") from None
    function = None if name.startswith("_") else vars(module).get(name)
    if not inspect.isfunction(function) or function.__module__ != module.__name__:
        own = inspect.getmembers(module, inspect.isfunction)
        known = [
            known
            for known, one in own
            if one.__module__ == module.__name__ and not known.startswith("_")
        ]
        raise _unfit(f"{file} has no function {name!r}; it has: {', '.join(known)}", "function")
    return function


def _unfit(why: str, pointer: str) -> problems.JobError:
    return problems.parameter_unfit(_TEMPLATE, ValueError(why), pointer)
