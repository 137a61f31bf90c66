"""Blender's values as JSON says them.

Vectors, matrices and colours are lists, enums their identifiers, flags lists of them, what is not a
number null, and data-blocks `{type, name, library}`. Numbers have the digits that a person would
write: Blender keeps most in 32 bits.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import bpy

from aiobpy.data import blocks

LONGEST_ARRAY: Final = 1024
"""Longer ones, such as the pixels of an image, are told by their length."""

MOST_ITEMS: Final = 100
"""So many of a collection's items are told by name."""

_LOADS_FILE: Final = frozenset(
    {"bindcode", "channels", "depth", "frame_duration", "is_float", "pixels", "resolution", "size"}
)
"""Properties of an image that have Blender load its file."""


def read(holder: Any, prop: Any) -> Any:
    """Return the value that a property has, or null if Blender cannot say."""
    if not is_loaded(holder, prop.identifier):
        return None
    try:
        value = getattr(holder, prop.identifier)
        if prop.type == 'POINTER':
            return pointer(value)
    except (AttributeError, ReferenceError, RuntimeError, UnicodeDecodeError):
        return None
    match prop.type:
        case 'COLLECTION':
            return collection(value)
        case 'ENUM':
            return sorted(value) if prop.is_enum_flag else value
        case 'STRING':
            return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
    return array(value) if prop.is_array else plain_number(value)


def is_loaded(holder: Any, name: str) -> bool:
    """Return whether reading a property loads no file of an image."""
    return name not in _LOADS_FILE or not isinstance(holder, bpy.types.Image) or holder.has_data


def plain(value: Any) -> Any:
    """Return what JSON says of a value whose property is not at hand, which takes time to find."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, bpy.types.bpy_struct):
        return pointer(value)
    if isinstance(value, bpy.types.bpy_prop_collection):
        return {"count": len(value)}
    if isinstance(value, set):
        return sorted(value)
    return array(value) if hasattr(value, "__len__") else None


def pointer(value: Any) -> Any:
    """Return what JSON says of something that is pointed at."""
    if value is None:
        return None
    if isinstance(value, bpy.types.ID) and not value.is_embedded_data:
        return blocks.reference(value)
    facts = {"struct": value.bl_rna.identifier}
    if (name := name_of(value)) is not None:
        facts["name"] = name
    return facts


def collection(items: Any) -> dict[str, Any]:
    """Return how many items a collection has, and the first of them if they have names."""
    facts: dict[str, Any] = {"count": len(items)}
    first = items[:MOST_ITEMS] if len(items) else []
    if first and all(item is not None and name_of(item) is not None for item in first):
        facts["items"] = [
            blocks.reference(item) if _is_served(item) else name_of(item) for item in first
        ]
    return facts


def array(value: Any) -> Any:
    """Return a list of numbers, or of lists of them; the length if there are very many."""
    if len(value) > LONGEST_ARRAY:
        return {"count": len(value)}
    return _nested(value)


def plain_number(value: Any) -> Any:
    """Return a boolean or a number; None for what is not a number or is infinite."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    if value == int(value) and abs(value) < 1e15:
        return value
    return _short(value)


def custom(value: Any) -> Any:
    """Return what JSON says of the value of a custom property."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bpy.types.ID):
        return blocks.reference(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "keys"):
        return {key: custom(value[key]) for key in value.keys()}  # noqa: SIM118 - Blender's own
    if hasattr(value, "__len__"):
        return [custom(item) for item in value]
    return str(value)


def custom_names(holder: Any) -> list[str]:
    """Return the names of the custom properties of a data-block or another holder."""
    try:
        names = list(holder.keys())
    except (AttributeError, TypeError):
        return []
    known = holder.bl_rna.properties
    return [name for name in names if name not in known and not _is_internal(name)]


def name_of(holder: Any) -> str | None:
    """Return what a struct is called, if it is called anything."""
    prop = holder.bl_rna.name_property
    if prop is None:
        return None
    name = getattr(holder, prop.identifier, None)
    return name if isinstance(name, str) else None


def _nested(value: Any) -> Any:
    if hasattr(value, "__len__"):
        return [_nested(item) for item in value]
    return plain_number(value)


def _short(value: float) -> float:
    """Return the number with the fewest digits that is the same in 32 bits."""
    try:
        kept = struct.pack("f", value)
    except OverflowError:
        return value
    for digits in (6, 7, 8, 9):
        shorter = float(f"{value:.{digits}g}")
        if struct.pack("f", shorter) == kept:
            return shorter
    return value


def _is_served(item: Any) -> bool:
    return isinstance(item, bpy.types.ID) and not item.is_embedded_data


def _is_internal(name: str) -> bool:
    return name.startswith(("_", "aiobpy_"))
