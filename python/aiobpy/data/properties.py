"""Facts about the properties of Blender's types: which there are, and what they take."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy.data import problems, values

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOM: Final = "custom_properties"
"""The member that holds custom properties."""

_LEFT_OUT: Final = {
    # Copies of what is in the file, made to be drawn and gone with the next change.
    "ViewLayer": ("depsgraph",),
    # Blender 4.2 or 4.5 does not survive being asked for them while the editor was never drawn.
    "SpaceNodeEditor": ("cursor_location",),
    "SpaceProperties": ("search_filter", "tab_search_results"),
    # In Blender 4.2 and 4.3 it is memory of something else.
    "ToolSettings": ("uv_sculpt",) if bpy.app.version < (4, 5, 0) else (),
}

_NOT_FOUND: Final = re.compile(r"not found in (\(.*\))\s*$", re.DOTALL)
_NO_SUCH_ITEM: Final = "\x01"


def visible(holder: Any) -> Iterator[Any]:
    """Yield the properties that people are meant to see, in Blender's order."""
    left_out = _LEFT_OUT.get(holder.bl_rna.identifier, ())
    for prop in holder.bl_rna.properties:
        if is_visible(prop) and prop.identifier not in left_out:
            yield prop


def is_visible(prop: Any) -> bool:
    """Return whether a property is neither internal nor on its way out."""
    if prop.identifier == "rna_type" or prop.is_hidden:
        return False
    # Blender 5.0 began to say so.
    return not getattr(prop, "is_deprecated", False)


def of(holder: Any, name: str) -> Any:
    """Return a property of what is there.

    Raises:
        Problem: 404, it has none of that name.
    """
    prop = find(holder, name)
    if prop is None:
        struct = holder.bl_rna.identifier
        msg = f"{struct} has no property {name!r}"
        raise problems.unknown(msg, name, [prop.identifier for prop in visible(holder)])
    return prop


def find(holder: Any, name: str) -> Any:
    """Return a property of what is there, or None."""
    if name == "rna_type" or name in _LEFT_OUT.get(holder.bl_rna.identifier, ()):
        return None
    return holder.bl_rna.properties.get(name)


def enum_identifiers(holder: Any, prop: Any) -> list[str]:
    """Return what an enum takes.

    Some enums know that only together with what holds them: those are asked by offering what they
    cannot take, which Blender refuses with the list of what they can.

    Args:
        holder: What the property is of; None for the arguments of an operator.
        prop: The property.
    """
    known = [item.identifier for item in prop.enum_items]
    if holder is None or prop.is_enum_flag or prop.is_readonly:
        return known
    try:
        setattr(holder, prop.identifier, _NO_SUCH_ITEM)
    except TypeError as error:
        found = _NOT_FOUND.search(str(error))
        return _listed(found.group(1)) if found else known
    except AttributeError:
        pass
    return known


def _listed(text: str) -> list[str]:
    """Return the words of a list as Blender's errors have it; of one word, without a comma."""
    words = ast.literal_eval(text)
    return [words] if isinstance(words, str) else list(words)


def is_readonly(holder: Any, prop: Any) -> bool:
    """Return whether it cannot be set, here."""
    return bool(prop.is_readonly or holder.is_property_readonly(prop.identifier))


def default(prop: Any) -> Any:
    """Return what a property that is no pointer is set to if nobody sets it."""
    if getattr(prop, "is_array", False):
        return list(prop.default_array)
    return set(prop.default_flag) if getattr(prop, "is_enum_flag", False) else prop.default


def describe(holder: Any, prop: Any) -> dict[str, Any]:
    """Return what a form needs to know of a property: its type, what it takes, its default.

    Args:
        holder: What the property is of; None for the arguments of an operator.
        prop: The property.
    """
    facts: dict[str, Any] = {
        "name": prop.identifier,
        "label": prop.name,
        "description": prop.description,
        "type": prop.type,
        "subtype": prop.subtype,
        "unit": prop.unit,
        "is_readonly": prop.is_readonly if holder is None else is_readonly(holder, prop),
    }
    facts.update(_FACTS[prop.type](holder, prop) if prop.type in _FACTS else {})
    return facts


def _of_number(_holder: Any, prop: Any) -> dict[str, Any]:
    facts = {
        "minimum": prop.hard_min,
        "maximum": prop.hard_max,
        "soft_minimum": prop.soft_min,
        "soft_maximum": prop.soft_max,
        "step": prop.step,
    }
    if prop.type == 'FLOAT':
        facts["precision"] = prop.precision
        facts = {name: values.plain_number(value) for name, value in facts.items()}
    return {**facts, **_of_array(_holder, prop)}


def _of_array(_holder: Any, prop: Any) -> dict[str, Any]:
    if not prop.is_array:
        return {"default": values.plain_number(prop.default)}
    return {
        "array_lengths": [length for length in prop.array_dimensions if length],
        "default": [values.plain_number(item) for item in prop.default_array],
    }


def _of_text(_holder: Any, prop: Any) -> dict[str, Any]:
    default = prop.default
    return {
        "maximum_length": prop.length_max or None,
        "default": default if isinstance(default, str) else "",
    }


def _of_enum(holder: Any, prop: Any) -> dict[str, Any]:
    # Read while they are gone through: Blender may make them for that alone, and free them then.
    told = {item.identifier: (item.name, item.description) for item in prop.enum_items}
    items = []
    for identifier in enum_identifiers(holder, prop):
        label, text = told.get(identifier, (identifier, ""))
        items.append({"identifier": identifier, "label": label, "description": text})
    default: Any = sorted(prop.default_flag) if prop.is_enum_flag else prop.default
    return {"items": items, "is_flag": prop.is_enum_flag, "default": default}


def _of_struct(_holder: Any, prop: Any) -> dict[str, Any]:
    return {"struct": prop.fixed_type.identifier if prop.fixed_type else None}


_FACTS: Final = {
    'BOOLEAN': _of_array,
    'INT': _of_number,
    'FLOAT': _of_number,
    'STRING': _of_text,
    'ENUM': _of_enum,
    'POINTER': _of_struct,
    'COLLECTION': _of_struct,
}
