"""Where an operator works, and on what: an area, a mode, an active object, a selection."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import main_loop, places
from aiobpy.data import blocks, problems

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Context:
    """What an operator finds when it runs. What is left out stays as it is.

    Attributes:
        area: The kind of an area, as in `'VIEW_3D'`: the largest of that kind.
        mode: The mode of the active object, as in `'EDIT'`.
        active: The name of the object to be the active one.
        selected: The names of the objects to be selected, and no others.
    """

    area: str | None = None
    mode: str | None = None
    active: str | None = None
    selected: list[str] | None = None


class Entered:
    """A context that was entered: it can say what is to stay."""

    def __init__(self) -> None:
        self.keeps_selection = False

    def keep_selection(self) -> None:
        """Leave the selection as the operator has left it."""
        self.keeps_selection = True


@contextlib.contextmanager
def entered(wanted: Context) -> Iterator[Entered]:
    """Have a context around what happens inside. There is no `await` inside.

    Raises:
        Problem: 404, there is no such area or object; 409, the mode cannot be entered.
    """
    active = None if wanted.active is None else _object(wanted.active)
    selected = None if wanted.selected is None else [_object(name) for name in wanted.selected]
    told = Entered()
    with contextlib.ExitStack() as stack:
        if wanted.area is not None:
            stack.enter_context(_in_area(wanted.area))
        else:
            stack.enter_context(main_loop.with_a_window())
        if active is not None or selected is not None:
            before = _selection()
            stack.callback(lambda: None if told.keeps_selection else _select(*before))
            _choose(active, selected)
        if wanted.mode is not None:
            stack.enter_context(_in_mode(wanted.mode))
        yield told


def _object(name: str) -> Any:
    return blocks.find(blocks.kind_of("objects"), name)


@contextlib.contextmanager
def _in_area(kind: str) -> Iterator[None]:
    try:
        place = places.context(area=kind)
        place.__enter__()
    except LookupError as error:
        raise problems.conflict(str(error)) from None
    try:
        yield
    finally:
        place.__exit__(None, None, None)


def _choose(active: Any, selected: list[Any] | None) -> None:
    layer = bpy.context.view_layer
    for wanted in [*([active] if active is not None else []), *(selected or [])]:
        if wanted.name not in layer.objects:
            msg = f"{wanted.name!r} is not in the view layer {layer.name!r}"
            raise problems.conflict(msg, "put it into a collection of the scene that is seen")
    if selected is not None:
        chosen = {wanted.as_pointer() for wanted in selected}
        for other in layer.objects:
            other.select_set(other.as_pointer() in chosen)
    if active is not None:
        layer.objects.active = active


@contextlib.contextmanager
def _in_mode(mode: str) -> Iterator[None]:
    active = bpy.context.view_layer.objects.active
    before = 'OBJECT' if active is None else active.mode
    if before != mode:
        _set_mode(mode)
    name = None if active is None else active.name
    try:
        yield
    finally:
        now = bpy.context.view_layer.objects.active
        if now is not None and now.name == name and now.mode == mode != before:
            _set_mode(before)


def _set_mode(mode: str) -> None:
    try:
        bpy.ops.object.mode_set(mode=mode)
    except (RuntimeError, TypeError) as error:
        raise problems.refused_by_blender(f"the mode {mode!r} cannot be entered", error) from None


def _selection() -> tuple[str | None, set[str]]:
    layer = bpy.context.view_layer
    active = layer.objects.active
    chosen = {found.name for found in layer.objects if found.select_get()}
    return (None if active is None else active.name), chosen


def _select(active: str | None, selected: set[str]) -> None:
    layer = bpy.context.view_layer
    for found in layer.objects:
        found.select_set(found.name in selected)
    layer.objects.active = None if active is None else layer.objects.get(active)
