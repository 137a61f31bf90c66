"""One value anywhere in the open file: `objects["Cube"].location`, read and written by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.data import (
    animation,
    blocks,
    changing,
    paths,
    problems,
    properties,
    reading,
    values,
)
from aiobpy.data.rights import EVERYTHING, Rights
from aiobpy.problem import Problem

if TYPE_CHECKING:
    from aiobpy.data.paths import Place
    from aiobpy.data.queries import Tree


def get(path: str) -> dict[str, Any]:
    """Return a value and what is known of it.

    Args:
        path: As in `objects["Cube"].location`.

    Returns:
        `path`, `value`, and what `properties.describe` tells of it; for a property also whether it
        `is_animated` and `is_driven`.

    Raises:
        Problem: 400, it is no path; 404, it leads nowhere.
    """
    return _facts(path, paths.resolve(path))


def put(path: str, value: Any, rights: Rights = EVERYTHING) -> dict[str, Any]:
    """Set a value, and return what `get` does.

    Args:
        path: As in `objects["Cube"].location` or `objects["Cube"].location[2]`; a custom property
            need not be there yet.
        value: What JSON can say; null sets a property to its default, a pointer to nothing, and
            removes a custom property.
        rights: Of whoever asks.

    Raises:
        Problem: 400, it is no path; 404, it leads nowhere; 409, it cannot be changed; 422, the
            value does not fit.
    """
    place = _writable_place(path)
    changes = changing.Changes(rights)
    if place.key is not None:
        changes.custom(place.holder, place.key, value, ("value",))
    elif place.prop is None:
        raise problems.conflict(f"{path!r} is no single value", "name one of its properties")
    elif place.number is not None:
        changes.item(place.holder, place.prop, place.number, value, ("value",))
    else:
        changes.member(place.holder, place.prop, value, ("value",))
    changes.apply(place.block)
    if place.key is not None and value is None:
        return {"path": path, "value": None}
    return get(path)


def _writable_place(path: str) -> Place:
    """Return where a path leads, also if it leads to a custom property that is not there yet."""
    steps = paths.parse(path)
    last = steps[-1]
    if len(steps) < 3 or last.key is None or last.library is not None:
        return paths.resolve(path)
    try:
        return paths.resolve(path)
    except Problem as problem:
        if problem.status != 404:
            raise
        holder = paths.follow(steps[:-1])
        present = holder.present
        if not isinstance(present, bpy.types.bpy_struct) or not hasattr(present, "keys"):
            raise
        return paths.Place(holder.block, present, key=last.key)


def _facts(path: str, place: Place) -> dict[str, Any]:
    facts: dict[str, Any] = {"path": path}
    if place.key is not None:
        return {**facts, "value": values.custom(place.present), "type": "CUSTOM"}
    if place.prop is None:
        is_block = isinstance(place.present, bpy.types.ID) and blocks.is_served(place.present)
        whole: Tree = {"*": {}}
        value = reading.block(place.present) if is_block else reading.struct(place.present, whole)
        return {
            **facts,
            "value": value,
            "type": 'STRUCT',
            "struct": place.present.bl_rna.identifier,
        }
    facts["value"] = _value(place)
    facts.update(properties.describe(place.holder, place.prop))
    if place.number is not None:
        facts["index"] = place.number
    facts.update(animation.facts(place.holder, place.prop, place.number))
    if why := blocks.why_not_to_change(place.block):
        facts.update(is_readonly=True, why_readonly=why)
    return facts


def _value(place: Place) -> Any:
    if place.number is not None:
        return values.plain_number(place.present)
    if place.prop.type == 'POINTER' and isinstance(place.present, bpy.types.bpy_struct):
        present = place.present
        if not isinstance(present, bpy.types.ID) or present.is_embedded_data:
            return reading.struct(present, {"*": {}})
    return values.read(place.holder, place.prop)
