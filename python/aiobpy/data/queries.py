"""What a client asks of a list: `fields`, `filter`, `sort`, `cursor`. Functions of values.

A filter is conditions with commas between them, all of which have to hold: `type=MESH,name~cup`. A
condition is a property, one of `= != ~ !~ < <= > >=`, and a value; `~` looks for a part of the
text, whatever its case. The property may lie deeper (`render.engine`); a data-block is compared by
its name. The value is a number, `true`, `false`, `null`, a word, or text in double quotes.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from aiobpy.data import problems

Tree = dict[str, "Tree"]
"""Which members are asked for, each with those of its own; `*` stands for all that are simple."""

_CONDITION: Final = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*"
    r"(?P<sign>!=|!~|<=|>=|=|~|<|>)\s*"
    r'(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>(?:[^,"=~<>][^,"]*)?))\s*(?:,|$)'
)
_MEMBER: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*(?:[A-Za-z_]\w*|\*)")
_DEEPEST: Final = 4
_HINT: Final = "write conditions like type=MESH or name~cup, with commas between them"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a filter: `render.engine=CYCLES`."""

    path: tuple[str, ...]
    sign: str
    value: str | float | bool | None

    def holds(self, present: Any) -> bool:
        """Return whether it holds for what JSON says of the property."""
        if isinstance(present, dict):
            present = present.get("name", present.get("count"))
        match self.sign:
            case "=":
                return _equal(present, self.value)
            case "!=":
                return not _equal(present, self.value)
            case "~":
                return _contains(present, self.value)
            case "!~":
                return not _contains(present, self.value)
        return _compares(present, self.sign, self.value)


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is sorted by. Equals are in the order of their names."""

    path: tuple[str, ...] = ("name",)
    is_downward: bool = False

    def key(self, value: Any, name: str, library: str | None) -> tuple[Any, ...]:
        """Return what an item is sorted by: JSON can say it, and no two items have the same."""
        if isinstance(value, dict):
            value = value.get("name", value.get("count"))
        ranked: tuple[int, Any] = (3, json.dumps(value))
        if value is None:
            ranked = (0, 0)
        elif isinstance(value, bool | int | float):
            ranked = (1, float(value))
        elif isinstance(value, str):
            ranked = (2, value)
        return (*ranked, name, library or "")

    def is_after(self, key: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
        """Return whether an item comes after another."""
        return key < other if self.is_downward else key > other


BY_NAME: Final = Order()


def fields(text: str) -> Tree:
    """Return the members that `fields=name,render.engine` asks for.

    Raises:
        Problem: 400, it makes no sense.
    """
    tree: Tree = {}
    for part in text.split(","):
        path = part.strip()
        if not _MEMBER.fullmatch(path) or path.count(".") >= _DEEPEST:
            msg = f"`fields` has {path!r}, which is no name of a property"
            raise problems.malformed(
                msg, "write names with commas between them: name,render.engine"
            )
        branch = tree
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    return tree


def conditions(text: str) -> list[Condition]:
    """Return the conditions of a filter.

    Raises:
        Problem: 400, it makes no sense.
    """
    found: list[Condition] = []
    start = 0
    while start < len(text):
        match = _CONDITION.match(text, start)
        if match is None:
            msg = f"`filter` makes no sense from {text[start : start + 40]!r} on"
            raise problems.malformed(msg, _HINT)
        path = tuple(match["name"].split("."))
        if len(path) > _DEEPEST:
            msg = f"`filter` has {match['name']!r}, which is deeper than {_DEEPEST} properties"
            raise problems.malformed(msg)
        found.append(Condition(path, match["sign"], _value(match, text)))
        start = match.end()
    if text.rstrip().endswith(",") or not found:
        msg = "`filter` has no condition where one is expected"
        raise problems.malformed(msg, _HINT)
    return found


def order(text: str) -> Order:
    """Return what `sort=-frame_end` sorts by.

    Raises:
        Problem: 400, it makes no sense.
    """
    name = text.removeprefix("-")
    if not _MEMBER.fullmatch(name) or "*" in name or name.count(".") >= _DEEPEST:
        msg = f"`sort` is a property, with a minus before it to go downward, not {text!r}"
        raise problems.malformed(msg)
    return Order(tuple(name.split(".")), text.startswith("-"))


def cursor(order: Order, key: tuple[Any, ...]) -> str:
    """Return what stands for a place in a list: after the item with that key."""
    text = json.dumps([list(order.path), order.is_downward, list(key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place(order: Order, text: str) -> tuple[Any, ...]:
    """Return the key that a cursor names.

    Raises:
        Problem: 400, it is no cursor, or one of a list that was sorted in another way.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        path, is_downward, key = json.loads(base64.b64decode(padded, b"-_", validate=True))
        rank, value, name, library = key
        known = isinstance(name, str) and isinstance(library, str)
        fits = isinstance(value, {0: int, 1: float, 2: str, 3: str}[rank]) and value == value
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        known = fits = False
    if not (known and fits):
        msg = f"{text[:60]!r} is no cursor"
        raise problems.malformed(msg, "send `next` of the page before, as it is")
    if (tuple(path), is_downward) != (order.path, order.is_downward):
        msg = "the cursor is of a list that was sorted in another way"
        raise problems.malformed(msg, "send the same `sort` with it as for the page before")
    return (rank, value, name, library)


def _value(match: re.Match[str], text: str) -> str | float | bool | None:
    quoted = match["text"]
    if quoted is not None:
        try:
            return str(json.loads(f'"{quoted}"'))
        except ValueError:
            msg = f"`filter` has text that JSON does not know: {quoted[:40]!r}"
            raise problems.malformed(msg, _HINT) from None
    word = match["word"].strip()
    known = {"true": True, "false": False, "null": None}
    if word in known:
        return known[word]
    try:
        number = float(word)
    except ValueError:
        return word
    return number if math.isfinite(number) else word


def _equal(present: Any, wanted: str | float | bool | None) -> bool:
    if isinstance(present, list):
        return any(_equal(item, wanted) for item in present)
    if isinstance(present, str) and isinstance(wanted, float):
        return _number(present) == wanted
    if isinstance(present, bool) or isinstance(wanted, bool):
        return present is wanted
    return bool(present == wanted)


def _contains(present: Any, wanted: str | float | bool | None) -> bool:
    if isinstance(present, list):
        return any(_contains(item, wanted) for item in present)
    if not isinstance(present, str):
        return False
    text = wanted if isinstance(wanted, str) else json.dumps(wanted).removesuffix(".0")
    return text.casefold() in present.casefold()


def _compares(present: Any, sign: str, wanted: str | float | bool | None) -> bool:
    if isinstance(present, str) and isinstance(wanted, str):
        pair: tuple[Any, Any] = (present, wanted)
    elif isinstance(present, int | float) and isinstance(wanted, int | float):
        pair = (present, wanted)
    else:
        return False
    low, high = pair
    return bool({"<": low < high, "<=": low <= high, ">": low > high, ">=": low >= high}[sign])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
