"""Changes of data-blocks: all is checked before the first is made, and all are made or none."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.data import blocks, fitting, problems, properties, reading, values
from aiobpy.data.fitting import UnfitError
from aiobpy.data.rights import EVERYTHING, Rights

if TYPE_CHECKING:
    from collections.abc import Callable

Where = tuple[object, ...]
"""The parts of a JSON pointer into what the client sent."""


@dataclass(frozen=True, slots=True)
class _Change:
    where: Where
    make: Callable[[], object]
    take_back: Callable[[], object]


def merge(block: Any, patch: dict[str, Any], rights: Rights = EVERYTHING) -> None:
    """Change a data-block as a JSON merge patch says (RFC 7396).

    Members are properties; objects go into what is inside it (`{"render": {"resolution_x": 64}}`),
    into items of a collection by name or number, and into `custom_properties`. A null sets a
    property to its default, a pointer to nothing, and removes a custom property. What is sent back
    as it was read is no change, also of what cannot be set.

    Raises:
        Problem: 409, it is linked; 422, `errors` says which values do not fit: nothing is changed.
    """
    changes = Changes(rights)
    changes.merge(block, patch, ())
    changes.apply(block)


class Changes:
    """Collects what is to be changed, and what is wrong with it.

    Attributes:
        errors: JSON pointers, and why the value does not fit.
    """

    def __init__(self, rights: Rights = EVERYTHING) -> None:
        self.errors: list[tuple[str, str]] = []
        self._rights = rights
        self._changes: list[_Change] = []

    def apply(self, block: Any) -> None:
        """Make all changes, or none.

        Raises:
            Problem: 409, the data-block cannot be changed; 422, a value does not fit.
        """
        if why := blocks.why_not_to_change(block):
            raise problems.conflict(why)
        if self.errors:
            raise problems.unfit(self.errors)
        made: list[_Change] = []
        for change in self._changes:
            try:
                made.append(change)
                change.make()
            except (AttributeError, OverflowError, RuntimeError, TypeError, ValueError) as error:
                for one in reversed(made):
                    # What could not be made may be impossible to take back.
                    with contextlib.suppress(Exception):
                        one.take_back()
                where = (*change.where, *getattr(error, "where", ()))
                raise problems.unfit([(problems.pointer(where), _said(error))]) from None
        if self._changes:
            update()

    def merge(self, holder: Any, patch: Any, where: Where) -> None:
        """Change the members of anything that has properties."""
        if not isinstance(patch, dict):
            self._refuse(where, "an object with the members to change")
            return
        for name, value in patch.items():
            place = (*where, name)
            if name == properties.CUSTOM:
                self._merge_custom(holder, value, place)
            elif name == reading.CONTENT and isinstance(holder, bpy.types.Text):
                self._content(holder, value, place)
            elif name in ("library", "type_of_data", "struct") and not where:
                if reading.block(holder, {}).get(name) != value:
                    self._refuse(place, "it cannot be set")
            else:
                self._named(holder, name, value, place)

    def member(self, holder: Any, prop: Any, value: Any, where: Where) -> None:
        """Change one property."""
        if prop.type == 'COLLECTION' or _is_inside(holder, prop, value):
            self._go_inside(holder, prop, value, where)
        elif values.read(holder, prop) == value:
            # What is sent back as it was read may be what cannot be set, or not said exactly.
            return
        elif properties.is_readonly(holder, prop):
            self._refuse(where, "it cannot be set")
        elif value is None:
            self._reset(holder, prop, where)
        else:
            self._set(holder, prop, value, where)

    def item(self, holder: Any, prop: Any, number: int, value: Any, where: Where) -> None:
        """Change one item of a property's array; null means its default."""
        if properties.is_readonly(holder, prop):
            self._refuse(where, "it cannot be set")
            return
        if value is None:
            value = prop.default_array[number]
        with self._noting(where):
            fitted = fitting.fit_item(prop, value)
            before = getattr(holder, prop.identifier)[number]

            def put(item: Any) -> None:
                getattr(holder, prop.identifier)[number] = item

            self._add(where, lambda: put(fitted), lambda: put(before))

    def custom(self, holder: Any, name: str, value: Any, where: Where) -> None:
        """Change, make or remove a custom property."""
        if not name or len(name.encode()) > 63 or name.startswith(("_", "aiobpy_")):
            self._refuse(where, "a name of 1 to 63 bytes that does not begin with `_`")
            return
        if name in holder.bl_rna.properties:
            self._refuse(where, "a property has that name already")
            return
        with self._noting(where):
            present = values.custom(holder[name]) if name in holder else None
            fitted = None if value is None else fitting.fit_custom(_merged(present, value))

            def put(content: Any) -> None:
                if content is not None:
                    holder[name] = content
                elif name in holder:
                    del holder[name]

            self._add(where, lambda: put(fitted), lambda: put(present))

    def _named(self, holder: Any, name: str, value: Any, where: Where) -> None:
        prop = properties.find(holder, name)
        if prop is None:
            known = [other.identifier for other in properties.visible(holder)]
            self._refuse(where, f"there is no such property; {problems.near(name, known)}")
        elif name == "name" and isinstance(holder, bpy.types.ID) and self._is_taken(holder, value):
            self._refuse(where, "another one has that name")
        else:
            self.member(holder, prop, value, where)

    def _is_taken(self, holder: Any, name: Any) -> bool:
        kind = blocks.kind_of_struct(holder.bl_rna)
        if kind is None or not isinstance(name, str):
            return False
        other = blocks.look_up(kind, name)
        return other is not None and other != holder

    def _set(self, holder: Any, prop: Any, value: Any, where: Where) -> None:
        name = prop.identifier
        with self._noting(where):
            fitted = fitting.fit(holder, prop, value, self._rights)
            before = _kept(getattr(holder, name))

            def make() -> None:
                setattr(holder, name, fitted)
                if prop.type == 'POINTER' and getattr(holder, name) != fitted:
                    raise UnfitError(f"Blender does not take {fitted.name!r} here")

            self._add(where, make, lambda: setattr(holder, name, before))

    def _reset(self, holder: Any, prop: Any, where: Where) -> None:
        name = prop.identifier
        before = _kept(getattr(holder, name))
        if prop.type == 'POINTER':
            if prop.is_never_none:
                self._refuse(where, "something has to be there")
                return
            make: Callable[[], object] = lambda: setattr(holder, name, None)  # noqa: E731 - typed
        elif name == "name" and isinstance(holder, bpy.types.ID):
            self._refuse(where, "a data-block has a name")
            return
        else:
            default = properties.default(prop)
            make = lambda: setattr(holder, name, default)  # noqa: E731 - typed
        self._add(where, make, lambda: setattr(holder, name, before))

    def _go_inside(self, holder: Any, prop: Any, value: Any, where: Where) -> None:
        present = values.read(holder, prop)
        if value == present:
            return
        inside = getattr(holder, prop.identifier)
        if prop.type == 'POINTER':
            self.merge(inside, value, where)
        elif not isinstance(value, dict):
            self._refuse(where, "an object whose members are items, by name or number")
        else:
            for key, patch in value.items():
                item = _item(inside, key)
                if item is None:
                    self._refuse((*where, key), "there is no such item")
                elif isinstance(item, bpy.types.ID) and not item.is_embedded_data:
                    self._refuse((*where, key), "it is a data-block of its own: change it there")
                else:
                    self.merge(item, patch, (*where, key))

    def _merge_custom(self, holder: Any, patch: Any, where: Where) -> None:
        if not isinstance(patch, dict):
            self._refuse(where, "an object with the custom properties to change")
        elif not hasattr(holder, "keys"):
            self._refuse(where, "there is no place for custom properties")
        else:
            for name, value in patch.items():
                self.custom(holder, name, value, (*where, name))

    def _content(self, text: Any, value: Any, where: Where) -> None:
        if not isinstance(value, str):
            self._refuse(where, "text")
            return
        if _is_run(text):
            self._rights.demand("exec", f"the text {text.name!r}, which Blender runs as Python,")
        before = text.as_string()
        self._add(where, lambda: text.from_string(value), lambda: text.from_string(before))

    def _refuse(self, where: Where, why: str) -> None:
        self.errors.append((problems.pointer(where), why))

    def _add(
        self, where: Where, make: Callable[[], object], take_back: Callable[[], object]
    ) -> None:
        self._changes.append(_Change(where, make, take_back))

    @contextlib.contextmanager
    def _noting(self, where: Where) -> Any:
        try:
            yield
        except UnfitError as error:
            self._refuse((*where, *error.where), error.detail)


def update() -> None:
    """Have Blender work out what depends on a change, so that it is read as it will be."""
    layer = bpy.context.view_layer
    if layer is not None:
        layer.update()


def _is_run(text: Any) -> bool:
    """Return whether Blender runs a text by itself: when the file is loaded, or by Freestyle."""
    return text.use_module or any(
        module.script == text
        for scene in bpy.data.scenes
        for layer in scene.view_layers
        for module in layer.freestyle_settings.modules
    )


def _is_inside(holder: Any, prop: Any, value: Any) -> bool:
    """Return whether a value is for the members of what a property points at."""
    if prop.type != 'POINTER' or not isinstance(value, dict):
        return False
    present = getattr(holder, prop.identifier)
    if present is None:
        return False
    return not isinstance(present, bpy.types.ID) or present.is_embedded_data


def _item(items: Any, key: str) -> Any:
    try:
        found = items.get(key)
    except TypeError:
        # Its items have no names.
        found = None
    if found is None and key.isdecimal() and int(key) < len(items):
        found = items[int(key)]
    return found


def _kept(value: Any) -> Any:
    """Return a value that does not change with what it was read from."""
    if isinstance(value, bpy.types.bpy_struct) or value is None:
        return value
    if isinstance(value, set):
        return set(value)
    if hasattr(value, "copy"):
        return value.copy()
    if hasattr(value, "__len__") and not isinstance(value, str | bytes):
        return list(value)
    return value


def _merged(present: Any, patch: Any) -> Any:
    """Return what a JSON merge patch makes of a value (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(present) if isinstance(present, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
