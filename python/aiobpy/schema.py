"""JSON Schema from Python's annotations, and Python's values from JSON.

One place for templates and RPC methods: what is documented is what is checked.
"""

from __future__ import annotations

import enum
import inspect
import re
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Range:
    """A number from `minimum` to `maximum`, both included: `Annotated[float, Range(0, 1)]`."""

    minimum: float
    maximum: float


@dataclass(frozen=True)
class MaxLength:
    """A text of `length` characters at most: `Annotated[str, MaxLength(16)]`."""

    length: int


@dataclass(frozen=True)
class Pattern:
    """A text that matches a regular expression: `Annotated[str, Pattern("^[a-z]+$")]`."""

    expression: str
    format: str | None = None
    """What kind of text it is, for a form: a JSON Schema `format`."""


Colour = Annotated[str, Pattern("^#[0-9a-fA-F]{6}$", format="color")]
"""A colour as screens have it: `#rrggbb`."""

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


class UnknownAnnotationError(TypeError):
    """An annotation that no JSON Schema can be made of."""


def of_function(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a function's parameters: one `object`.

    Descriptions are those of the docstring's `Args:` section. Other members than the parameters are
    not allowed.

    Raises:
        UnknownAnnotationError: A parameter has no annotation, or one of no known kind.
    """
    annotations = typing.get_type_hints(function, include_extras=True)
    descriptions = _described_arguments(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in annotations or parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        ):
            msg = (
                f"the parameter {parameter.name!r} of {function.__qualname__} has no type; "
                "write one, as in 'height: float = 2.0'"
            )
            raise UnknownAnnotationError(msg)
        schema = of_annotation(annotations[parameter.name], parameter.name)
        if parameter.name in descriptions:
            schema["description"] = descriptions[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
        else:
            schema["default"] = _to_json(parameter.default)
        properties[parameter.name] = schema
    whole: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        whole["required"] = required
    return whole


def of_annotation(annotation: Any, name: str) -> dict[str, Any]:
    """Return the JSON Schema of one annotation; `name` is for the error's text.

    Raises:
        UnknownAnnotationError: No schema can be made of it.
    """
    if annotation is Any:
        return {}
    if annotation in _PLAIN:
        return {"type": _PLAIN[annotation]}
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return {"enum": [member.value for member in annotation]}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        schema = of_annotation(arguments[0], name)
        for extra in arguments[1:]:
            schema.update(_constraint(extra))
        return schema
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [of_annotation(argument, name) for argument in arguments]}
    if annotation is list or origin is list:
        items = of_annotation(arguments[0], name) if arguments else {}
        return {"type": "array", "items": items}
    if origin is tuple:
        return _tuple_schema(arguments, name)
    if annotation is dict or origin is dict:
        values = of_annotation(arguments[1], name) if arguments else {}
        return {"type": "object", "additionalProperties": values}
    msg = (
        f"no JSON Schema can be made of the type {annotation!r} of {name!r}; use str, int, float, "
        "bool, None, Literal, Enum, list, tuple, dict or a union of these"
    )
    raise UnknownAnnotationError(msg)


def from_json(value: Any, annotation: Any) -> Any:
    """Return the Python value of a JSON value that fits the annotation's schema.

    Enums become members and arrays become tuples where the annotation says so, at any depth.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return from_json(value, arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation(value)
    if annotation is float and isinstance(value, int):
        return float(value)
    if origin is list:
        return [from_json(item, arguments[0]) for item in value]
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
        return tuple(from_json(item, kind) for item, kind in zip(value, kinds, strict=False))
    if origin is dict:
        return {key: from_json(item, arguments[1]) for key, item in value.items()}
    return value


def description_of(function: Callable[..., Any]) -> str:
    """Return a function's docstring without its `Args:` and what follows."""
    text = inspect.getdoc(function) or ""
    return re.split(r"^(?:Args|Returns|Raises):$", text, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _tuple_schema(arguments: tuple[Any, ...], name: str) -> dict[str, Any]:
    if arguments and arguments[-1] is ...:
        return {"type": "array", "items": of_annotation(arguments[0], name)}
    count = len(arguments)
    return {
        "type": "array",
        "prefixItems": [of_annotation(argument, name) for argument in arguments],
        "minItems": count,
        "maxItems": count,
    }


def _constraint(extra: Any) -> dict[str, Any]:
    match extra:
        case Range(minimum, maximum):
            return {"minimum": minimum, "maximum": maximum}
        case MaxLength(length):
            return {"maxLength": length}
        case Pattern(expression, None):
            return {"pattern": expression}
        case Pattern(expression, kind):
            return {"pattern": expression, "format": kind}
        case _:
            return {}


def _to_json(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _described_arguments(function: Callable[..., Any]) -> dict[str, str]:
    """Read the `Args:` section of a docstring."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", text, flags=re.MULTILINE)
    if section is None:
        return {}
    lines = inspect.cleandoc(section.group(1)).splitlines()
    described: dict[str, str] = {}
    name = ""
    for line in lines:
        begun = re.match(r"(\w+)(?: \([^)]*\))?: *(.*)", line)
        if begun:
            name = begun.group(1)
            described[name] = begun.group(2)
        elif name and line.strip():
            described[name] = f"{described[name]} {line.strip()}"
    return described
