"""Data-blocks and what is in them as JSON objects, with the members that a client asks for."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy.data import blocks, problems, properties, values

if TYPE_CHECKING:
    from aiobpy.data.queries import Tree

CONTENT: Final = "content"
"""The member of a text that is all that stands in it."""

_ALL: Final = "*"
_VIRTUAL: Final = frozenset({"name", "library", properties.CUSTOM})


def block(found: Any, tree: Tree | None = None, *, skips_unknown: bool = False) -> dict[str, Any]:
    """Return a data-block as JSON has it: its name and its library, and what is asked for.

    Args:
        found: The data-block.
        tree: The members that are asked for; all simple ones if left out.
        skips_unknown: Whether a member that this one has not is left out, as in a list of many.

    Raises:
        Problem: 404, it has no such property.
    """
    kind = blocks.kind_of_struct(found.bl_rna)
    whole = tree is None or _ALL in tree
    members = {
        "name": found.name,
        "library": blocks.library_of(found),
        "type_of_data": kind.collection if kind else found.bl_rna.identifier,
    }
    if tree is None:
        tree = {_ALL: {}}
    elif skips_unknown:
        tree = {name: inner for name, inner in tree.items() if _has(found, name)}
    members.update(struct(found, tree))
    if whole and kind is not None and kind.collection == "texts":
        members[CONTENT] = found.as_string()
    return members


def struct(holder: Any, tree: Tree) -> dict[str, Any]:
    """Return members of anything that has properties.

    Raises:
        Problem: 404, it has no such property.
    """
    members: dict[str, Any] = {}
    for name, inner in tree.items():
        if name == _ALL:
            for prop in properties.visible(holder):
                members.setdefault(prop.identifier, values.read(holder, prop))
            members.setdefault(properties.CUSTOM, custom(holder))
        elif name == properties.CUSTOM:
            members[name] = custom(holder)
        elif name == CONTENT and isinstance(holder, bpy.types.Text):
            members[name] = holder.as_string()
        elif name == "library" and isinstance(holder, bpy.types.ID):
            members[name] = blocks.library_of(holder)
        else:
            members[name] = _member(holder, name, inner)
    return members


def custom(holder: Any) -> dict[str, Any]:
    """Return the custom properties of what may have some."""
    return {name: values.custom(holder[name]) for name in values.custom_names(holder)}


class Reader:
    """Reads the same few properties of many data-blocks, in one walk: it remembers what is."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def value_at(self, holder: Any, path: tuple[str, ...]) -> Any:
        """Return what JSON says of a property that may lie deeper; None if there is nothing."""
        *inward, last = path
        for name in inward:
            if name == properties.CUSTOM:
                return custom(holder).get(last)
            holder = getattr(holder, name) if self._has(holder, name) else None
            if not isinstance(holder, bpy.types.bpy_struct):
                return None
        if last == "library" and isinstance(holder, bpy.types.ID):
            return blocks.library_of(holder)
        if not self._has(holder, last) or not values.is_loaded(holder, last):
            return None
        return values.plain(getattr(holder, last, None))

    def _has(self, holder: Any, name: str) -> bool:
        struct = holder.bl_rna.identifier
        names = self._names.get(struct)
        if names is None:
            names = frozenset(prop.identifier for prop in properties.visible(holder))
            self._names[struct] = names
        return name in names


def check_path(kind: blocks.Kind, path: tuple[str, ...], where: str) -> None:
    """Refuse a property that nothing of a kind has; deeper ones are not looked at.

    Raises:
        Problem: 400, there is none of that name.
    """
    known = {prop.identifier for prop in getattr(bpy.types, kind.struct).bl_rna.properties}
    if path[0] not in known | _VIRTUAL | {_ALL, CONTENT} and not _some_has(kind, path[0]):
        hint = problems.near(path[0], sorted(known | _VIRTUAL))
        msg = f"`{where}` has {path[0]!r}, and no {kind.one} has such a property"
        raise problems.malformed(msg, hint)


def state_tag(found: Any) -> str:
    """Return what changes whenever something of a data-block does that can be set.

    That is its properties and those of what is right inside it, such as its modifiers. Of vertices,
    pixels and the like it knows only how many there are.
    """
    text = json.dumps(_settable(found, depth=1), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _has(holder: Any, name: str) -> bool:
    return name in holder.bl_rna.properties or name in {*_VIRTUAL, _ALL, CONTENT}


def _some_has(kind: blocks.Kind, name: str) -> bool:
    """Some are of a narrower type, as a sun is among the lights."""
    return any(name in block.bl_rna.properties for block in blocks.all_of(kind))


def _member(holder: Any, name: str, inner: Tree) -> Any:
    prop = properties.of(holder, name)
    if not inner:
        return values.read(holder, prop)
    present = getattr(holder, name) if prop.type in {'POINTER', 'COLLECTION'} else None
    if prop.type == 'COLLECTION':
        return _items(present, inner)
    if prop.type != 'POINTER':
        raise problems.unknown(f"{name!r} is a plain value, with nothing in it", name, [])
    if present is None:
        return None
    if isinstance(present, bpy.types.ID) and not present.is_embedded_data:
        return {**blocks.reference(present), **struct(present, inner)}
    return struct(present, inner)


def _items(items: Any, inner: Tree) -> dict[str, Any]:
    """Return the first items by name, or by number if they have none."""
    return {
        str(index) if (name := values.name_of(item)) is None else name: struct(item, inner)
        for index, item in enumerate(items[: values.MOST_ITEMS])
        if item is not None
    }


def _settable(holder: Any, depth: int) -> dict[str, Any]:
    state: dict[str, Any] = {}
    if isinstance(holder, bpy.types.Text):
        state[CONTENT] = holder.as_string()
    for prop in properties.visible(holder):
        name = prop.identifier
        if prop.type == 'COLLECTION':
            state[name] = _state_of_items(holder, prop, depth)
        elif prop.type == 'POINTER' and depth:
            state[name] = _state_of_pointer(holder, prop, depth)
        elif not prop.is_readonly:
            state[name] = values.read(holder, prop)
    if custom_state := custom(holder):
        state[properties.CUSTOM] = custom_state
    return state


def _state_of_items(holder: Any, prop: Any, depth: int) -> Any:
    present = values.read(holder, prop)
    if not depth or "items" not in present or any(isinstance(i, dict) for i in present["items"]):
        return present
    items = getattr(holder, prop.identifier)[: values.MOST_ITEMS]
    return [_settable(item, depth - 1) for item in items]


def _state_of_pointer(holder: Any, prop: Any, depth: int) -> Any:
    present = values.read(holder, prop)
    if present is None or "struct" not in present:
        return present
    return _settable(getattr(holder, prop.identifier), depth - 1)
