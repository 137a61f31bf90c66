"""Checks that a JSON value fits a property, and makes of it what Blender takes. Changes nothing."""

from __future__ import annotations

import math
import os
from typing import Any, Final

import bpy

from aiobpy.data import blocks, bounds, properties, values
from aiobpy.data.problems import near
from aiobpy.data.rights import EVERYTHING, Rights

_PATHS: Final = frozenset({'FILE_PATH', 'DIR_PATH'})
_PARTS_OF_PATHS: Final = frozenset({"file_name", "filename"})
_CODE: Final = frozenset(
    {
        ("Driver", "expression"),
        ("FreestyleModuleSettings", "script"),
        ("Text", "use_module"),
    }
)
"""What Blender runs as Python."""


class UnfitError(ValueError):
    """A value that does not fit; `where` is the part of it, as the parts of a JSON pointer."""

    def __init__(self, detail: str, where: tuple[object, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where


def fit(holder: Any, prop: Any, value: Any, rights: Rights = EVERYTHING) -> Any:
    """Return what to set a property to.

    Args:
        holder: What the property is of; None for the arguments of an operator.
        prop: The property.
        value: What JSON has; not null.
        rights: Of whoever asks.

    Raises:
        UnfitError: It does not fit.
        Problem: 403, it names a file out of bounds, or is Python.
    """
    if holder is not None:
        _refuse_code(holder, prop, rights)
    match prop.type:
        case 'POINTER':
            return _block(prop, value)
        case 'COLLECTION':
            raise UnfitError("a collection cannot be set; change its items by name")
        case 'ENUM':
            return _enum(holder, prop, value)
        case 'STRING':
            return _text(prop, value, rights)
    if prop.is_array:
        lengths = [length for length in prop.array_dimensions if length]
        return _array(prop, value, lengths or [len(getattr(holder, prop.identifier))], ())
    return _scalar(prop, value, ())


def fit_item(prop: Any, value: Any) -> Any:
    """Return what to set one item of an array to.

    Raises:
        UnfitError: It does not fit.
    """
    return _scalar(prop, value, ())


def fit_custom(value: Any, where: tuple[object, ...] = ()) -> Any:
    """Return what to set a custom property to.

    Raises:
        UnfitError: Blender cannot keep it: a list of unlike things, or a whole number of more than
            32 bits.
    """
    if isinstance(value, dict):
        return {str(key): fit_custom(item, (*where, key)) for key, item in value.items()}
    if isinstance(value, list):
        return _custom_list(value, where)
    if value is None:
        raise UnfitError("a custom property cannot be null, unless to remove it", where)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**31) <= value < 2**31:
        raise UnfitError("a whole number of a custom property has 32 bits", where)
    return value


def _refuse_code(holder: Any, prop: Any, rights: Rights) -> None:
    struct = holder.bl_rna.identifier
    if (struct, prop.identifier) in _CODE:
        rights.demand("exec", f"{struct}.{prop.identifier}, which Blender runs as Python,")


def _scalar(prop: Any, value: Any, where: tuple[object, ...]) -> Any:
    if prop.type == 'BOOLEAN':
        if not isinstance(value, bool):
            raise UnfitError(f"true or false, not {_shown(value)}", where)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitError(f"a number, not {_shown(value)}", where)
    if not math.isfinite(value):
        raise UnfitError("a number that is finite", where)
    if prop.type == 'INT':
        if value != int(value):
            raise UnfitError(f"a whole number, not {value}", where)
        value = int(value)
    if not prop.hard_min <= value <= prop.hard_max:
        low, high = (values.plain_number(end) for end in (prop.hard_min, prop.hard_max))
        raise UnfitError(f"from {low} to {high}, not {value}", where)
    return value


def _array(prop: Any, value: Any, lengths: list[int], where: tuple[object, ...]) -> Any:
    if not isinstance(value, list):
        raise UnfitError(f"a list of {lengths[0]}, not {_shown(value)}", where)
    if len(value) != lengths[0]:
        raise UnfitError(f"a list of {lengths[0]}, not of {len(value)}", where)
    inner = lengths[1:]
    return [
        _array(prop, item, inner, (*where, index))
        if inner
        else _scalar(prop, item, (*where, index))
        for index, item in enumerate(value)
    ]


def _enum(holder: Any, prop: Any, value: Any) -> Any:
    known = properties.enum_identifiers(holder, prop)
    if not prop.is_enum_flag:
        return _enum_item(value, known, ())
    if not isinstance(value, list):
        raise UnfitError(f"a list of {_choices(known)}, not {_shown(value)}")
    return {_enum_item(item, known, (index,)) for index, item in enumerate(value)}


def _enum_item(value: Any, known: list[str], where: tuple[object, ...]) -> str:
    # An operator's enum may know its items only when it runs; Blender checks it then.
    if isinstance(value, str) and (value in known or not known):
        return value
    raise UnfitError(f"one of {_choices(known)}, not {_shown(value)}", where)


def _choices(known: list[str]) -> str:
    return ", ".join(repr(identifier) for identifier in known)


def _text(prop: Any, value: Any, rights: Rights) -> Any:
    if not isinstance(value, str):
        raise UnfitError(f"text, not {_shown(value)}")
    if "\0" in value:
        raise UnfitError("text without NUL")
    length = len(value.encode("utf-8", "surrogatepass"))
    if prop.length_max and length > prop.length_max:
        raise UnfitError(f"text of {prop.length_max} bytes at most, not {length}")
    if value:
        _check_path(prop, value, rights)
    return value.encode() if prop.subtype == 'BYTE_STRING' else value


def _check_path(prop: Any, value: str, rights: Rights) -> None:
    """A path of a file leads into the allowed folders, and a part of one not out of its folder."""
    if prop.subtype in _PATHS:
        rights.demand("files", f"the path {prop.identifier!r}")
        bounds.check(value)
    elif prop.subtype == 'FILE_NAME' or prop.identifier in _PARTS_OF_PATHS:
        parts = value.replace("\\", "/").split("/")
        if ".." in parts or os.path.isabs(value) or (len(parts) > 1 and not parts[0]):
            raise UnfitError("a name of a file that leads out of its folder")


def _block(prop: Any, value: Any) -> Any:
    """Find the data-block that a reference names; a name alone will do where the kind is known."""
    kind = blocks.kind_of_struct(prop.fixed_type)
    library = None
    if isinstance(value, dict):
        unknown = sorted(value.keys() - {"type", "name", "library"})
        if unknown:
            raise UnfitError(
                "there is no such member; use `type`, `name`, `library`", (unknown[0],)
            )
        value, library, named = value.get("name"), value.get("library"), value.get("type")
        if named is not None and (found := blocks.kinds().get(str(named))) is not None:
            kind = _narrower(kind, found, prop)
        elif named is not None:
            raise UnfitError(near(str(named), blocks.kinds()), ("type",))
    if not isinstance(value, str) or not isinstance(library, str | None):
        raise UnfitError(f"a name, or {{type, name, library}}, not {_shown(value)}")
    if kind is None:
        if prop.fixed_type.identifier != "ID":
            raise UnfitError(f"{prop.fixed_type.identifier} is no data-block: change its members")
        raise UnfitError("the `type` is missing: any kind of data-block can stand here")
    block = blocks.look_up(kind, value, library)
    if block is None:
        names = (other.name for other in blocks.all_of(kind))
        raise UnfitError(f"there is no {kind.one} {value!r}; {near(value, names)}")
    return block


def _narrower(expected: blocks.Kind | None, given: blocks.Kind, prop: Any) -> blocks.Kind:
    if expected is not None and expected != given:
        raise UnfitError(f"{expected.collection}, not {given.collection}", ("type",))
    if expected is None and prop.fixed_type.identifier != "ID":
        raise UnfitError(f"{prop.fixed_type.identifier} is no data-block: change its members")
    return given


def _custom_list(value: list[Any], where: tuple[object, ...]) -> list[Any]:
    fitted = [fit_custom(item, (*where, index)) for index, item in enumerate(value)]
    kinds = {_custom_kind(item) for item in fitted}
    if kinds == {int, float}:
        return [float(item) for item in fitted]
    if len(kinds) > 1:
        raise UnfitError(
            "a list has things of one kind: numbers, booleans, texts or objects", where
        )
    return fitted


def _custom_kind(value: Any) -> type:
    return type(value)


def _shown(value: Any) -> str:
    if isinstance(value, bpy.types.bpy_struct):
        return repr(value)
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
