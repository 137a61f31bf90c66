"""From a class to the fields of a dialog, and from what was entered back to the class.

Knows nothing of Blender but the names of its property functions, so that all of it runs anywhere.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import struct
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from aiobpy import owners
from aiobpy.schema import MaxLength, Pattern, Range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_NUMBERS: Final = 32
"""That Blender shows in one property."""


class UnsupportedFieldError(TypeError):
    """A model with a field that no dialog can show."""


@dataclass(frozen=True)
class Field:
    """One row of a dialog.

    Attributes:
        name: As the model has it.
        property: As the operator has it.
        function: The name of a function in `bpy.props`.
        keywords: What it is called with.
        initial: What stands there at first, as Blender has it; None for Blender's own.
        read: Makes the model's value of what Blender has.
        complaint: Says what is wrong with a value, or nothing.
    """

    name: str
    property: str
    function: str
    keywords: Mapping[str, Any]
    initial: Any = None
    read: Callable[[Any], Any] = lambda value: value
    complaint: Callable[[Any], str] = lambda _value: ""


@dataclass(frozen=True)
class Model:
    """What a dialog asks for.

    Attributes:
        name: For people: `ImportSettings` is "Import Settings".
        fields: The rows.
        build: Makes the answer of the values by name.
        draw: The model's own way to draw the dialog, if it has one: `draw(self, context)`.
    """

    name: str
    fields: tuple[Field, ...]
    build: Callable[[dict[str, Any]], Any]
    draw: Callable[[Any, Any], object] | None = None


def of(given: Any) -> Model:
    """Return what a dialog is to ask for.

    Args:
        given: A dataclass, one of its instances, whose values stand there at first, or a class of
            `bpy.props`, annotated or assigned.

    Raises:
        UnsupportedFieldError: No dialog can be made of it; the text says why.
    """
    kind = given if isinstance(given, type) else type(given)
    if dataclasses.is_dataclass(kind):
        return _of_dataclass(kind, None if isinstance(given, type) else given)
    if isinstance(given, type) and (declared := _declared_properties(given)):
        return _of_properties(given, declared)
    raise UnsupportedFieldError(
        refusal(kind, None, f"{given!r} is neither a dataclass nor a class of bpy.props")
    )


def refusal(kind: type, field: str | None, what: str) -> str:
    """Return what is wrong with a model or one of its fields, whose it is, and what a dialog shows.

    Args:
        kind: The model.
        field: The name of the field; None if it is about the model.
        what: As in `has the type list[int]`.
    """
    whose = owners.current().short_name
    if field is None:
        return f"{whose} asks for a dialog, but {what}"
    return (
        f"{whose} asks for a dialog of {kind.__module__}.{kind.__qualname__}, but its field"
        f" {field!r} {what}; a dialog shows bool, int, float, str, Path, Enum, Literal and tuples"
        " of up to 32 bool, int or float, or what bpy.props has for one value"
    )


def _of_dataclass(kind: type, instance: Any) -> Model:
    annotations = typing.get_type_hints(kind, include_extras=True)
    fields = []
    for declared in dataclasses.fields(kind):
        if declared.init:
            initial = _default(declared) if instance is None else getattr(instance, declared.name)
            maker = _Maker(kind, declared.name, initial)
            fields.append(maker.field(annotations[declared.name], dict(declared.metadata)))
    return Model(_for_people(kind.__name__), tuple(fields), lambda values: kind(**values))


def _default(declared: dataclasses.Field[Any]) -> Any:
    if declared.default is not dataclasses.MISSING:
        return declared.default
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory()
    return None


class _Maker:
    """Makes the row of one field of a dataclass."""

    def __init__(self, kind: type, name: str, initial: Any) -> None:
        self._kind = kind
        self._name = name
        self._initial = initial

    def field(self, annotation: Any, metadata: dict[str, Any]) -> Field:
        extras: tuple[Any, ...] = ()
        if typing.get_origin(annotation) is Annotated:
            annotation, *rest = typing.get_args(annotation)
            extras = tuple(rest)
        row = self._row(annotation, extras)
        keywords = {"name": _for_people(self._name), **row.keywords, **metadata}
        return dataclasses.replace(row, keywords=keywords)

    def _row(self, annotation: Any, extras: tuple[Any, ...]) -> Field:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation is bool:
            return self._make("BoolProperty", bool(self._initial))
        if annotation is int or annotation is float:
            return self._number(annotation, extras)
        if annotation is str:
            return self._text(extras)
        if annotation is Path:
            return self._path(lambda text: Path(text))
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            names = {member: _for_people(member.name) for member in annotation}
            return self._choice(list(annotation), names.__getitem__)
        if origin is Literal:
            return self._choice(list(arguments), lambda value: str(value))
        if origin is tuple:
            return self._vector(arguments, extras)
        if set(arguments) == {Path, type(None)}:
            return self._path(lambda text: Path(text) if text else None)
        raise self._refused(f"has the type {annotation!r}")

    def _number(self, kind: type, extras: tuple[Any, ...]) -> Field:
        initial = self._as_initial(kind) if self._initial is not None else kind(0)
        keywords = _limits(extras)
        if kind is int:
            self._check_int(initial)
            return self._make("IntProperty", initial, keywords)
        return self._make("FloatProperty", initial, keywords, read=_as_written(initial))

    def _text(self, extras: tuple[Any, ...]) -> Field:
        initial = "" if self._initial is None else self._as_initial(str)
        pattern = next((extra for extra in extras if isinstance(extra, Pattern)), None)
        if pattern is not None and pattern.format == "color":
            colour = {"subtype": 'COLOR_GAMMA', "size": 3, "min": 0.0, "max": 1.0}
            first = _from_hex(initial or "#ffffff")
            return self._make("FloatVectorProperty", first, colour, read=_to_hex)
        length = next((extra.length for extra in extras if isinstance(extra, MaxLength)), None)
        # Blender counts bytes, and so may cut: the length is checked as well.
        complaint = _complaint_about_text(length, pattern)
        return self._make("StringProperty", initial, complaint=complaint)

    def _path(self, read: Callable[[str], Any]) -> Field:
        initial = "" if self._initial is None else str(self._initial)
        is_folder = bool(re.search("dir|folder", self._name))
        subtype = {"subtype": 'DIR_PATH' if is_folder else 'FILE_PATH'}
        return self._make("StringProperty", initial, subtype, read=read)

    def _choice(self, choices: list[Any], name_of: Callable[[Any], str]) -> Field:
        if not choices:
            raise self._refused("offers nothing to choose from")
        if self._initial is not None and self._initial not in choices:
            raise self._refused(f"begins with {self._initial!r}, which is none of {choices}")
        items = [(str(number), name_of(choice), "") for number, choice in enumerate(choices)]
        initial = str(choices.index(self._initial)) if self._initial is not None else "0"
        return self._make(
            "EnumProperty", initial, {"items": items}, read=lambda text: choices[int(text)]
        )

    def _vector(self, arguments: tuple[Any, ...], extras: tuple[Any, ...]) -> Field:
        kinds, count = set(arguments), len(arguments)
        if len(kinds) != 1 or not 1 <= count <= _MOST_NUMBERS or not kinds <= set(_VECTORS):
            raise self._refused("is a tuple, but not of 1 to 32 bool, int or float")
        kind = kinds.pop()
        initial = tuple(self._initial) if self._initial is not None else (kind(0),) * count
        if len(initial) != count:
            raise self._refused(f"begins with {initial!r}, which are not {count} values")
        if kind is float:
            as_written = [_as_written(value) for value in initial]
            keywords: dict[str, Any] = {"size": count, **_limits(extras)}
            return self._make(
                "FloatVectorProperty",
                initial,
                keywords,
                read=lambda values: tuple(
                    read(value) for read, value in zip(as_written, values, strict=True)
                ),
            )
        limits = _limits(extras) if kind is int else {}
        return self._make(_VECTORS[kind], initial, {"size": count, **limits}, read=tuple)

    def _make(
        self, function: str, initial: Any, keywords: dict[str, Any] | None = None, **more: Any
    ) -> Field:
        # Names of a dataclass are free: `name` and `layout` would be in an operator's way.
        return Field(self._name, f"field_{self._name}", function, keywords or {}, initial, **more)

    def _as_initial(self, kind: type) -> Any:
        try:
            return kind(self._initial)
        except (TypeError, ValueError):
            raise self._refused(f"begins with {self._initial!r}, which is no {kind}") from None

    def _check_int(self, number: int) -> None:
        if not -(2**31) <= number < 2**31:
            raise self._refused(f"begins with {number}; Blender has integers of 32 bits")

    def _refused(self, what: str) -> UnsupportedFieldError:
        return UnsupportedFieldError(refusal(self._kind, self._name, what))


_VECTORS: Final[dict[type, str]] = {
    bool: "BoolVectorProperty",
    int: "IntVectorProperty",
    float: "FloatVectorProperty",
}


def _declared_properties(kind: type) -> dict[str, Any]:
    """Return the properties of a class and its bases, by name, in the order of their writing."""
    declared: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__ in {"builtins", "bpy_types", "_bpy_types"}:
            continue
        annotated = inspect.get_annotations(base, eval_str=True)
        declared |= {
            name: value
            for name, value in {**vars(base), **annotated}.items()
            if type(value).__name__ == "_PropertyDeferred"
        }
    return declared


def _of_properties(kind: type, declared: dict[str, Any]) -> Model:
    fields = []
    for name, deferred in declared.items():
        function = deferred.function.__name__
        if function in {"PointerProperty", "CollectionProperty"}:
            what = f"is a {function}, which has no value of its own"
            raise UnsupportedFieldError(refusal(kind, name, what))
        if name in _TAKEN:
            what = "has a name that Blender's operators have a use for; rename it"
            raise UnsupportedFieldError(refusal(kind, name, what))
        fields.append(Field(name, name, function, deferred.keywords, read=_plain))
    draw = getattr(kind, "draw", None)
    return Model(
        _for_people(kind.__name__),
        tuple(fields),
        lambda values: types.SimpleNamespace(**values),
        draw if inspect.isfunction(draw) else None,
    )


_TAKEN: Final = frozenset(
    (
        *("aiobpy_token", "cancel", "check", "description", "draw", "execute", "has_reports"),
        *("invoke", "layout", "macros", "modal", "name", "options", "poll", "properties", "report"),
    )
)


def _plain(value: Any) -> Any:
    """Copy what Blender would take back: vectors, colours, matrices, sets."""
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return value
    return tuple(_plain(item) for item in value)


def _limits(extras: tuple[Any, ...]) -> dict[str, Any]:
    for extra in extras:
        if isinstance(extra, Range):
            return {"min": extra.minimum, "max": extra.maximum}
    return {}


def _as_written(initial: float) -> Callable[[float], float]:
    """Blender has single precision: 0.1 comes back as 0.10000000149. Return what was meant."""

    def read(value: float) -> float:
        single = struct.pack("f", value)
        if single == struct.pack("f", initial):
            return initial
        for digits in range(6, 9):
            shorter = float(f"{value:.{digits}g}")
            if struct.pack("f", shorter) == single:
                return shorter
        return value

    return read


def _complaint_about_text(length: int | None, pattern: Pattern | None) -> Callable[[str], str]:
    def complaint(text: str) -> str:
        if length is not None and len(text) > length:
            return f"has {len(text)} characters; {length} are allowed"
        if pattern is not None and not re.search(pattern.expression, text):
            return f"does not fit {pattern.expression}"
        return ""

    return complaint


def _from_hex(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def _to_hex(colour: Any) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)


def _for_people(name: str) -> str:
    """`ImportSettings` and `import_settings` are both "Import Settings"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").split("_")
    return " ".join(word[:1].upper() + word[1:].lower() for word in words if word)
