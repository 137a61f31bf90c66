"""JSON Schema from Python's annotations.

One place for templates, methods and sites: what is documented is what is checked.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import inspect
import json
import re
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from aiobpy.json_text import dumps

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


@dataclass(frozen=True, init=False)
class Shows:
    """A switch for parts of a template's scene: `Annotated[bool, Shows("Handle", "Strap")]`.

    Args:
        names: Objects or collections, which are rendered if the parameter is true.
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Pattern:
    """A text that matches a regular expression: `Annotated[str, Pattern("^[a-z]+$")]`."""

    expression: str
    format: str | None = None
    """What kind of text it is, for a form: a JSON Schema `format`."""


Colour = Annotated[str, Pattern("^#[0-9a-fA-F]{6}$", format="color")]
"""A colour as screens have it: `#rrggbb`."""

Text = Annotated[str, MaxLength(500), Pattern(r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$", format="text")]
"""What a person writes, of 500 characters at most: no control characters but tab and new line."""

Frame = Annotated[int, Range(-1_048_574, 1_048_574)]
"""One of the frames that Blender has."""

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_TEXTS: dict[Any, dict[str, Any]] = {
    bytes: {"contentEncoding": "base64"},
    dt.date: {"format": "date"},
    dt.datetime: {"format": "date-time"},
}
"""Types that JSON says as texts, and how."""


class UnknownAnnotationError(TypeError):
    """An annotation that no JSON Schema can be made of."""


def of_function(function: Callable[..., Any], without: str | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a function's parameters: one `object`.

    The parameter `without` is left out: it is given by us, and not by a client.

    Descriptions are those of the docstring's `Args:` section. Other members than the parameters are
    not allowed.

    Raises:
        UnknownAnnotationError: A parameter has no annotation, or one of no known kind.
    """
    annotations = typing.get_type_hints(function, include_extras=True)
    descriptions = described_arguments(function)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == without:
            continue
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
            schema["default"] = json.loads(dumps(parameter.default))
        properties[parameter.name] = schema
    whole: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        whole["required"] = required
    return whole


def of_result(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the JSON Schema of what a function returns; None if its annotation says nothing."""
    annotation = typing.get_type_hints(function, include_extras=True).get("return", Any)
    try:
        return None if annotation is Any else of_annotation(annotation, "return")
    except UnknownAnnotationError:
        return None


def of_annotation(annotation: Any, name: str) -> dict[str, Any]:
    """Return the JSON Schema of one annotation; `name` is for the error's text.

    Raises:
        UnknownAnnotationError: No schema can be made of it.
    """
    if annotation is Any:
        return {}
    if annotation in _PLAIN:
        return {"type": _PLAIN[annotation]}
    if annotation in _TEXTS:
        return {"type": "string", **_TEXTS[annotation]}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, enum.Enum):
            return {"enum": [member.value for member in annotation]}
        if hasattr(annotation, "json_schema"):
            return dict(annotation.json_schema())
        if (members := members_of(annotation)) is not None:
            return _object_schema(annotation, members)
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
        "bool, bytes, date, datetime, None, Literal, Enum, list, tuple, dict, dataclass, TypedDict "
        "or a union of these"
    )
    raise UnknownAnnotationError(msg)


@dataclass(frozen=True)
class Member:
    """One member of a JSON object that a class describes."""

    name: str
    annotation: Any
    is_required: bool
    default: Any = None
    """What JSON says of it; None if there is none, or if it is made anew each time."""


def members_of(kind: Any) -> list[Member] | None:
    """Return the members of a dataclass or a `TypedDict`; None for anything else."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind, include_extras=True)
        missing = dataclasses.MISSING
        return [
            Member(
                field.name,
                hints[field.name],
                field.default is missing and field.default_factory is missing,
                None if field.default is missing else field.default,
            )
            for field in dataclasses.fields(kind)
            if field.init
        ]
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return [_member_of_typed_dict(kind, name, hint) for name, hint in hints.items()]
    return None


def list_item(of_value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a list's items; None if it is the schema of no list.

    A list or nothing, `list[int] | None`, is a list.
    """
    kinds = [kind for kind in of_value.get("anyOf", [of_value]) if kind != {"type": "null"}]
    if len(kinds) == 1 and kinds[0].get("type") == "array" and "items" in kinds[0]:
        item: dict[str, Any] = kinds[0]["items"]
        return item
    return None


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


def _object_schema(kind: Any, members: list[Member]) -> dict[str, Any]:
    if kind in _under_way:
        msg = f"{kind.__name__} contains itself, and no JSON Schema can be made of that; use dict"
        raise UnknownAnnotationError(msg)
    _under_way.append(kind)
    try:
        properties = {}
        for member in members:
            schema = of_annotation(member.annotation, f"{kind.__name__}.{member.name}")
            if member.default is not None:
                schema["default"] = json.loads(dumps(member.default))
            properties[member.name] = schema
    finally:
        _under_way.pop()
    whole: dict[str, Any] = {
        "title": kind.__name__,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required := [member.name for member in members if member.is_required]:
        whole["required"] = required
    return whole


_under_way: list[Any] = []
"""Classes whose schema is being made."""


def _member_of_typed_dict(kind: Any, name: str, hint: Any) -> Member:
    # Where annotations are texts, `__required_keys__` does not know of these marks.
    is_required = name in kind.__required_keys__
    while (mark := typing.get_origin(hint)) in (typing.Required, typing.NotRequired):
        is_required = mark is typing.Required
        hint = typing.get_args(hint)[0]
    return Member(name, hint, is_required)


def described_arguments(function: Callable[..., Any]) -> dict[str, str]:
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
