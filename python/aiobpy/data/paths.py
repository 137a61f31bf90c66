"""Paths to anything in the open file, as in `objects["Cube"].modifiers[0].levels`.

They look like Python and are not: names, whole numbers and quoted names are all that there is, and
nothing is evaluated. A second quoted name after a comma is the library that a data-block is linked
from. What stands in brackets after a data-block or another holder is a custom property.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import bpy

from aiobpy.data import blocks, problems, properties, values

_STEP: Final = re.compile(
    r"\.(?P<name>[A-Za-z_]\w*)"
    r"|\[\s*(?P<number>-?\d{1,9})\s*\]"
    r"""|\[\s*(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""\s*(?:,\s*(?P<library>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*)?\]""",
    re.ASCII,
)
_LONGEST: Final = 1000
_HINT: Final = """write it like objects["Cube"].location, with the name of a collection first"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: exactly one of `name`, `number` and `key` is there."""

    name: str | None = None
    number: int | None = None
    key: str | None = None
    library: str | None = None


@dataclass(slots=True)
class Place:
    """Where a path leads: not to be kept across an `await`.

    Attributes:
        block: The data-block that it is in.
        holder: What has the property, or the item.
        prop: The property; None where the path ends at a data-block, an item or a custom property.
        number: The item of the property's array.
        key: The custom property, by its name.
        present: What is there.
    """

    block: Any
    holder: Any
    prop: Any = None
    number: int | None = None
    key: str | None = None
    present: Any = None


def parse(text: str) -> list[Step]:
    """Return the steps of a path.

    Raises:
        Problem: 400, it is no path.
    """
    if len(text) > _LONGEST:
        raise problems.malformed(f"a path has {_LONGEST} characters at most")
    rest = "." + text.strip().removeprefix("bpy.data.")
    steps: list[Step] = []
    start = 0
    while start < len(rest):
        match = _STEP.match(rest, start)
        if match is None:
            msg = f"the path makes no sense from {rest[start : start + 40]!r} on"
            raise problems.malformed(msg, _HINT)
        number = match["number"]
        steps.append(
            Step(
                match["name"],
                None if number is None else int(number),
                _unquoted(match["key"]),
                _unquoted(match["library"]),
            )
        )
        start = match.end()
    return steps


def resolve(text: str) -> Place:
    """Return where a path leads.

    Raises:
        Problem: 400, it is no path; 404, it leads nowhere.
    """
    return follow(parse(text))


def follow(steps: list[Step]) -> Place:
    """Return where the steps of a path lead.

    Raises:
        Problem: 400, they begin with no data-block; 404, they lead nowhere.
    """
    kind = blocks.kind_of(steps[0].name or "")
    if len(steps) == 1:
        msg = f"the path is a whole collection, {kind.collection}"
        raise problems.malformed(msg, f"GET /api/v1/{kind.collection} lists it")
    place = _enter(kind, steps[1])
    for step in steps[2:]:
        place = _go(place, step)
    return place


def _unquoted(text: str | None) -> str | None:
    if text is None:
        return None
    inner = text[1:-1]
    if text[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        msg = f"the path has a name that makes no sense: {text[:40]}"
        raise problems.malformed(msg, "write a backslash as two") from None


def _enter(kind: blocks.Kind, step: Step) -> Place:
    if step.key is not None:
        found = blocks.find(kind, step.key, step.library)
    elif step.number is not None:
        found = _item(blocks.all_of(kind), step.number, kind.collection)
    else:
        msg = f"{step.name!r} is asked of a whole collection; name one, as in {kind.collection}[0]"
        raise problems.malformed(msg, _HINT)
    return Place(found, found, present=found)


def _go(place: Place, step: Step) -> Place:
    present = place.present
    if step.name is not None:
        if not isinstance(present, bpy.types.bpy_struct):
            raise _nothing_inside(step.name)
        prop = properties.of(present, step.name)
        block = present if isinstance(present, bpy.types.ID) else place.block
        return Place(block, present, prop, present=getattr(present, step.name))
    if place.prop is not None and place.prop.type == 'COLLECTION':
        found = _found_in(present, step, place.prop.identifier)
        return Place(place.block, found, present=found)
    if step.number is not None:
        return _go_into_array(place, step.number)
    return _go_to_custom(place, step.key or "")


def _found_in(items: Any, step: Step, name: str) -> Any:
    if step.number is not None:
        return _item(items, step.number, name)
    try:
        found = items.get(step.key)
    except TypeError:
        raise problems.malformed(f"the items of {name} have no names", "count them") from None
    if found is None:
        names = (values.name_of(item) for item in items)
        msg = f"{name} has no {step.key!r}"
        raise problems.unknown(msg, step.key or "", [other for other in names if other])
    return found


def _item(items: Any, number: int, name: str) -> Any:
    try:
        return items[number]
    except IndexError:
        msg = f"{name} has no item {number}: there are {len(items)}"
        raise problems.unknown(msg, str(number), map(str, range(len(items)))) from None


def _go_into_array(place: Place, number: int) -> Place:
    prop = place.prop
    if prop is None or place.number is not None or not getattr(prop, "is_array", False):
        raise _nothing_inside(number)
    if sum(1 for length in prop.array_dimensions if length) > 1:
        msg = f"{prop.identifier} has rows and columns; take it whole"
        raise problems.malformed(msg)
    present = _item(place.present, number, prop.identifier)
    return Place(place.block, place.holder, prop, number % len(place.present), None, present)


def _go_to_custom(place: Place, key: str) -> Place:
    holder = place.present
    known = values.custom_names(holder) if isinstance(holder, bpy.types.bpy_struct) else None
    if known is None:
        raise _nothing_inside(key)
    if key not in known:
        raise problems.unknown(f"there is no custom property {key!r}", key, known)
    block = holder if isinstance(holder, bpy.types.ID) else place.block
    return Place(block, holder, None, None, key, holder[key])


def _nothing_inside(what: object) -> Exception:
    return problems.unknown(
        f"{what!r} is asked of a plain value, with nothing in it", str(what), []
    )
