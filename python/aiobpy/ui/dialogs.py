"""`ui.dialog`, `ui.confirm`, `ui.menu` and `ui.message`: ask a person, in a task."""

from __future__ import annotations

import enum
import math
import textwrap
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import bpy

from aiobpy import owners
from aiobpy.ui import models, needs, registered
from aiobpy.ui.popups import AIOBPY_OT_popup, AIOBPY_OT_popup_choose, Popup, PopupMethods, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_T = TypeVar("_T")

_WIDTH: Final = 360
"""Pixels of Blender's scale."""
_PIXELS_PER_CHARACTER: Final = 6.4
_ROWS: Final = 24
"""Choices in one column of a menu."""


@overload
async def dialog(
    model: type[_T],
    *,
    title: str | None = None,
    text: str = "",
    confirm: str = "OK",
    width: int = _WIDTH,
) -> _T | None: ...
@overload
async def dialog(
    model: _T, *, title: str | None = None, text: str = "", confirm: str = "OK", width: int = _WIDTH
) -> _T | None: ...
async def dialog(
    model: Any,
    *,
    title: str | None = None,
    text: str = "",
    confirm: str = "OK",
    width: int = _WIDTH,
) -> Any:
    """Show a dialog with a row for each field of a model; return what was entered.

    Fields are bool, int, float, str, `Path`, `Enum`, `Literal` or tuples of up to 32 numbers;
    `Annotated` with `aiobpy.Range`, `aiobpy.MaxLength` or `aiobpy.Pattern` limits them, and
    `aiobpy.Colour` is a text that is chosen as a colour. A field's `metadata` goes to its property
    of Blender: `field(default=(1.0, 0.0, 0.0), metadata={"subtype": 'COLOR'})`. A model whose
    constructor raises `ValueError` has the dialog shown again, with what it says.

    Args:
        model: A dataclass; one of its instances, whose values stand there at first; or a class of
            `bpy.props`, annotated or assigned, with a method `draw(self, context)` if it likes.
        title: Above; the model's name if left out.
        text: What to say before the fields.
        confirm: The text of the button.
        width: In pixels of Blender's scale.

    Returns:
        An instance of the dataclass, or a namespace with the properties that the class declares;
        None if the person cancelled, or loaded a file.

    Raises:
        UnsupportedFieldError: A field is of a type that no dialog can show.
        RuntimeError: This Blender has no windows, or this is not the main thread.
    """
    needs.main_thread("open a dialog")
    described = models.of(model)
    needs.windows("open a dialog")
    key = model if isinstance(model, type) else type(model)
    operator = _operators.take(key, described)
    try:
        _check_registered(operator, described, key)
        return await _ask_until_it_fits(operator, described, title, text, confirm, width)
    finally:
        _operators.give_back(key)


async def confirm(
    text: str, *, title: str = "", confirm: str = "OK", cancel: str = "Cancel", width: int = _WIDTH
) -> bool:
    """Ask for a yes; anything else is a no, a file load included.

    Args:
        text: The question; lines are broken where they are too long.
        title: Above.
        confirm: The text of the button for yes.
        cancel: The text of the button for no.
        width: In pixels of Blender's scale.

    Raises:
        RuntimeError: This Blender has no windows, or this is not the main thread.
    """
    needs.windows("ask for a confirmation")

    def draw(operator: Any) -> None:
        _draw_text(operator.layout, text, width)
        _button(operator, 0, confirm, cancel)

    return await ask(Popup(AIOBPY_OT_popup, draw, title=title, width=width)) is not None


async def message(text: str, *, title: str = "", confirm: str = "OK", width: int = _WIDTH) -> None:
    """Tell something, and wait until it was read.

    Args:
        text: Lines are broken where they are too long.
        title: Above.
        confirm: The text of the button.
        width: In pixels of Blender's scale.

    Raises:
        RuntimeError: This Blender has no windows, or this is not the main thread.
    """
    needs.windows("show a message")

    def draw(operator: Any) -> None:
        _draw_text(operator.layout, text, width)
        _button(operator, 0, confirm)

    await ask(Popup(AIOBPY_OT_popup, draw, title=title, width=width))


def _label(item: object) -> str:
    if isinstance(item, enum.Enum):
        return item.name.replace("_", " ").title()
    return str(item)


async def menu(
    items: Sequence[_T],
    *,
    title: str = "",
    label: Callable[[_T], str] = _label,
    width: int = 240,
) -> _T | None:
    """Let a person choose one of some things.

    Args:
        items: What to choose from: anything.
        title: Above.
        label: Returns an item's text; `str`, or an enum member's name, if left out.
        width: In pixels of Blender's scale, of one column.

    Returns:
        The item; None if the person chose none, or loaded a file.

    Raises:
        ValueError: There is nothing to choose from.
        RuntimeError: This Blender has no windows, or this is not the main thread.
    """
    needs.main_thread("open a menu")
    choices = list(items)
    if not choices:
        msg = f"{owners.current().short_name} opens a menu without items; give it one at least"
        raise ValueError(msg)
    needs.windows("open a menu")
    texts = [label(choice) for choice in choices]
    columns = math.ceil(len(texts) / _ROWS)

    def draw(operator: Any) -> None:
        flow = operator.layout.column_flow(columns=columns, align=True)
        for number, text in enumerate(texts):
            _button(operator, number, text, layout=flow)

    chosen: int | None = await ask(Popup(AIOBPY_OT_popup, draw, title=title, width=width * columns))
    return None if chosen is None else choices[chosen]


def _check_registered(operator: Any, model: models.Model, kind: type) -> None:
    """Refuse a property that Blender has refused: it only prints why, and goes on without."""
    category, name = operator.bl_idname.split(".")
    there = getattr(getattr(bpy.ops, category), name).get_rna_type().properties
    for row in model.fields:
        if row.property not in there:
            keywords = ", ".join(f"{name}={value!r}" for name, value in row.keywords.items())
            what = f"is refused by Blender, which has printed why: {row.function}({keywords})"
            raise models.UnsupportedFieldError(models.refusal(kind, row.name, what))


async def _ask_until_it_fits(
    operator: Any, model: models.Model, title: str | None, text: str, confirm: str, width: int
) -> Any:
    values = {row.property: row.initial for row in model.fields if row.initial is not None}
    complaint = ""
    while True:

        def draw(shown: Any, complaint: str = complaint) -> None:
            _draw_fields(shown, model, text, complaint, width)

        raw = await ask(
            Popup(
                operator,
                draw,
                lambda shown: (_kept(shown, model), _entered(shown, model)),
                lambda shown: _kept(shown, model),
                title=model.name if title is None else title,
                confirm=confirm,
                width=width,
                values=values,
            )
        )
        if raw is None:
            return None
        values, entered = raw
        complaint = _complaint(model, entered)
        if not complaint:
            try:
                return model.build(entered)
            except ValueError as error:
                complaint = str(error)


def _kept(shown: Any, model: models.Model) -> dict[str, Any]:
    """Return what is in a dialog, as Blender has it."""
    kept: dict[str, Any] = {}
    for row in model.fields:
        value = getattr(shown, row.property)
        kept[row.property] = tuple(value) if "Vector" in row.function else value
    return kept


def _entered(shown: Any, model: models.Model) -> dict[str, Any]:
    """Return what is in a dialog, as the model has it."""
    return {row.name: row.read(getattr(shown, row.property)) for row in model.fields}


def _complaint(model: models.Model, entered: dict[str, Any]) -> str:
    for row in model.fields:
        if wrong := row.complaint(entered[row.name]):
            return f"{row.keywords.get('name', row.name)} {wrong}"
    return ""


def _draw_fields(shown: Any, model: models.Model, text: str, complaint: str, width: int) -> None:
    layout = shown.layout
    if text:
        _draw_text(layout, text, width)
    if model.draw is not None:
        model.draw(shown, bpy.context)
    else:
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        for row in model.fields:
            if 'HIDDEN' not in row.keywords.get("options", ()):
                column.prop(shown, row.property)
    if complaint:
        warning = layout.column()
        warning.alert = True
        _draw_text(warning, complaint, width, icon='ERROR')


def _draw_text(layout: Any, text: str, width: int, icon: str = 'NONE') -> None:
    column = layout.column(align=True)
    column.scale_y = 0.9
    characters = max(16, int(width / _PIXELS_PER_CHARACTER))
    for paragraph in text.splitlines() or [""]:
        for line in textwrap.wrap(paragraph, characters) or [""]:
            column.label(text=line, icon=icon, translate=False)
            icon = 'NONE' if icon == 'NONE' else 'BLANK1'


def _button(
    operator: Any, number: int, text: str, cancel: str = "", layout: Any | None = None
) -> None:
    # Of all buttons, only these close the popup that they are in.
    button = (layout or operator.layout).template_popup_confirm(
        AIOBPY_OT_popup_choose.bl_idname, text=text, cancel_text=cancel
    )
    button.token = operator.aiobpy_token
    button.number = number


def _make_operator(idname: str, model: models.Model) -> type[bpy.types.Operator]:
    """Return an operator with a property for each field."""
    token = bpy.props.StringProperty(options={'HIDDEN', 'SKIP_SAVE'})
    properties = {"aiobpy_token": token}
    for row in model.fields:
        # Blender would begin with what was entered last.
        options = {*row.keywords.get("options", {'ANIMATABLE'}), 'SKIP_SAVE'}
        make = getattr(bpy.props, row.function)
        properties[row.property] = make(**{**row.keywords, "options": options})
    category, _, name = idname.partition(".")
    members = {
        "__doc__": f"Ask for {model.name}",
        "__module__": __name__,
        "__annotations__": properties,
        "bl_idname": idname,
        "bl_label": model.name,
        "bl_options": {'INTERNAL'},
    }
    return type(f"{category.upper()}_OT_{name}", (PopupMethods, bpy.types.Operator), members)


_operators = registered.Made(_make_operator, "dialog")
