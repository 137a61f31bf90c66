"""What JSON would say of the texts in a path, a query or a form, as a JSON Schema has it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_INTEGER: Final = re.compile(r"[+-]?\d{1,4000}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_TRUTHS: Final = {"true": True, "false": False, "1": True, "0": False}


def reader_of(schema: Mapping[str, Any], name: str) -> Callable[[str], Any]:
    """Return what reads a text; it raises `ValueError` if the text says nothing of the kind.

    Raises:
        TypeError: No single text can say such a value; `name` says whose.
    """
    if "enum" in schema:
        return _reader_of_enum(schema["enum"])
    if "anyOf" in schema:
        readers = [reader_of(member, name) for member in schema["anyOf"]]
        return lambda text: _read_any(readers, text)
    kind = schema.get("type", "string")
    if kind not in _READERS:
        msg = (
            f"no path and no query can say {name!r}, an {kind}; mark it as the body of the request"
        )
        raise TypeError(msg)
    return _READERS[kind]


def _reader_of_enum(choices: list[Any]) -> Callable[[str], Any]:
    by_text = {_text_of(choice): choice for choice in choices}

    def read(text: str) -> Any:
        if text not in by_text:
            msg = f"{text!r} is none of " + ", ".join(map(repr, by_text))
            raise ValueError(msg)
        return by_text[text]

    return read


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _read_any(readers: list[Callable[[str], Any]], text: str) -> Any:
    details = []
    for read in readers:
        try:
            return read(text)
        except ValueError as error:
            details.append(str(error))
    raise ValueError("; ".join(details))


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        msg = f"{text!r} is no integer"
        raise ValueError(msg)
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        msg = f"{text!r} is no number"
        raise ValueError(msg)
    return number


def _boolean(text: str) -> bool:
    truth = _TRUTHS.get(text.lower())
    if truth is None:
        msg = f"{text!r} is neither 'true' nor 'false'"
        raise ValueError(msg)
    return truth


def _null(text: str) -> None:
    if text not in ("", "null"):
        msg = f"{text!r} is not empty"
        raise ValueError(msg)


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}
