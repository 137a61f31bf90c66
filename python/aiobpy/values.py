"""Python's values from JSON's, as annotations say."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import functools
import json
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Union

from aiobpy import schema
from aiobpy._native import ParamsCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class UnfitError(ValueError):
    """A JSON value that fits its schema, and is nothing that Python's type can hold.

    Attributes:
        pointer: Where it is, as RFC 6901 has it.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.pointer = ""


def from_json(value: Any, annotation: Any) -> Any:
    """Return the Python value of a JSON value that fits the annotation's schema.

    Enums become members, arrays become tuples, objects become dataclasses and texts become dates or
    bytes where the annotation says so, at any depth.

    Raises:
        UnfitError: The value fits, but says nothing, as the 30th of February.
    """
    convert = converter(annotation)
    return value if convert is None else convert(value)


def members_from_json(given: dict[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Python values of a JSON object's members.

    Raises:
        UnfitError: One of them says nothing; its pointer begins with the member's name.
    """
    return {name: _converted_at(name, value, annotations[name]) for name, value in given.items()}


@functools.lru_cache(maxsize=1024)
def converter(annotation: Any) -> Callable[[Any], Any] | None:
    """Return what makes a Python value of a JSON value; None where they are the same."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return converter(arguments[0])
    if annotation is float:
        return float
    if annotation in _FROM_TEXT:
        return functools.partial(_from_text, _FROM_TEXT[annotation])
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, enum.Enum):
            return annotation
        if hasattr(annotation, "from_json"):
            return functools.partial(_from_text, annotation.from_json)
        if (members := schema.members_of(annotation)) is not None:
            return functools.partial(_to_object, annotation, members)
    if origin in (Union, types.UnionType):
        return _union_converter(arguments)
    if origin is list:
        return _items_converter(list, arguments[0])
    if origin is tuple:
        return functools.partial(_to_tuple, arguments)
    if origin is dict:
        return _values_converter(arguments[1])
    return None


def _from_text(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise UnfitError(str(error)) from error


def _to_object(kind: Any, members: list[schema.Member], value: dict[str, Any]) -> Any:
    given = {
        member.name: _converted_at(member.name, value[member.name], member.annotation)
        for member in members
        if member.name in value
    }
    if typing.is_typeddict(kind):
        return given
    # `__post_init__` may refuse.
    return _from_text(lambda given: kind(**given), given)


def _converted_at(place: str | int, value: Any, annotation: Any) -> Any:
    try:
        return from_json(value, annotation)
    except UnfitError as error:
        error.pointer = "/" + str(place).replace("~", "~0").replace("/", "~1") + error.pointer
        raise


def _union_converter(members: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    if all(converter(member) is None for member in members):
        return None
    others = [member for member in members if member is not type(None)]

    def convert(value: Any) -> Any:
        if value is None and len(others) < len(members):
            return None
        if len(others) == 1:
            return from_json(value, others[0])
        text = json.dumps(value)
        for member in others:
            if not _check_of(member).wrong(text):
                return from_json(value, member)
        return value

    return convert


@functools.lru_cache(maxsize=256)
def _check_of(annotation: Any) -> ParamsCheck:
    return ParamsCheck(json.dumps(schema.of_annotation(annotation, "a member of a union")))


def _items_converter(make: type, annotation: Any) -> Callable[[Any], Any] | None:
    if converter(annotation) is None:
        return None
    return lambda value: make(
        _converted_at(place, item, annotation) for place, item in enumerate(value)
    )


def _values_converter(annotation: Any) -> Callable[[Any], Any] | None:
    if converter(annotation) is None:
        return None
    return lambda value: {key: _converted_at(key, item, annotation) for key, item in value.items()}


def _to_tuple(arguments: tuple[Any, ...], value: list[Any]) -> tuple[Any, ...]:
    kinds = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
    pairs = zip(value, kinds, strict=False)
    return tuple(_converted_at(place, item, kind) for place, (item, kind) in enumerate(pairs))


def _bytes_of(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_FROM_TEXT: dict[Any, Callable[[str], Any]] = {
    bytes: _bytes_of,
    dt.date: dt.date.fromisoformat,
    dt.datetime: dt.datetime.fromisoformat,
}
