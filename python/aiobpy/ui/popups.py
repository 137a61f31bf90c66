"""Popups of Blender's that somebody awaits. Each has a token, a future, and an end.

What Blender does, seen in 4.3 and 5.2: the operator of a popup gets `execute` when it is confirmed
and `cancel` in all other cases: Esc, a click outside, a file load, and when its window changes its
screen, be it to the one that it has. The last is how a popup is closed that nobody awaits any more;
those that lie in the same window go with it, and are opened again. Blender does that between two
ticks, so that what is opened right after is meant, too.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.ui import registered, windows
from aiobpy.ui.answer import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Popup(Request):
    """What is asked, and what becomes of it.

    Args:
        operator: The class whose instance the popup is.
        draw: Draws into the operator's layout.
        read: Returns the answer when the person confirms: from the operator.
        keep: Returns what was entered so far, as `values`: from the operator.
        title: Above it.
        confirm: The text of the button.
        width: In pixels of Blender's scale.
        values: The operator's properties, as they stand at first.
    """

    def __init__(
        self,
        operator: type[bpy.types.Operator],
        draw: Callable[[Any], object],
        read: Callable[[Any], Any] = lambda _operator: None,
        keep: Callable[[Any], dict[str, Any]] = lambda _operator: {},
        *,
        title: str,
        confirm: str = "",
        width: int,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.operator = operator
        self.draw = draw
        self.read = read
        self.keep = keep
        self.title = title
        self.confirm = confirm
        self.width = width
        self.values = dict(values or {})
        self.window = 0
        self.is_shown = False
        self.is_on_its_way = False

    def show(self) -> None:
        """Open it, where the pointer is.

        Raises:
            RuntimeError: Blender did not open it.
        """
        window = windows.opened(self.window) or windows.home()
        self.window = window.as_pointer()
        category, name = self.operator.bl_idname.split(".")
        call = getattr(getattr(bpy.ops, category), name)
        with bpy.context.temp_override(window=window):
            result = call('INVOKE_DEFAULT', aiobpy_token=self.token, **self.values)
        self.is_shown = 'RUNNING_MODAL' in result
        if not self.is_shown:
            msg = f"Blender did not open {self.title or self.operator.bl_label!r}: {result}"
            raise RuntimeError(msg)
        registered.note_opened(self.operator)

    def close(self) -> None:
        """Close it: nobody waits for it any more."""
        self.is_shown = False
        window = windows.opened(self.window)
        if window is not None:
            _given_up[self.token] = self
            # Blender does so when the tick is over.
            window.screen = window.screen

    def goes_with_another(self) -> bool:
        """Return whether it is closed because another one in its window was given up."""
        return any(other.window == self.window for other in _given_up.values())

    def call_soon(self, function: Callable[[], object]) -> None:
        """Have `function()` called when Blender has ended what it is at, or now in the end."""
        loop = self.answer.get_loop()
        if loop.is_closed():
            function()
        else:
            loop.call_soon(function, context=contextvars.Context())


class PopupMethods:
    """What makes an operator a popup; its property `aiobpy_token` says which."""

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        popup = _of(self)
        if popup is None:
            return {'CANCELLED'}
        shown: set[str] = context.window_manager.invoke_props_dialog(
            self, width=popup.width, title=popup.title, confirm_text=popup.confirm
        )
        return shown

    def draw(self, _context: bpy.types.Context) -> None:
        if (popup := _of(self)) is not None:
            try:
                popup.draw(self)
            except Exception as error:
                # Blender would print it each time it draws, and nobody would hear of it.
                popup.fail(error)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        registered.note_closed(type(self))
        if (popup := _of(self)) is not None:
            popup.is_shown = False
            try:
                popup.end(popup.read(self))
            except Exception as error:
                popup.fail(error)
        return {'FINISHED'}

    def cancel(self, _context: bpy.types.Context) -> None:
        registered.note_closed(type(self))
        token = self.aiobpy_token  # type: ignore[attr-defined]
        if (given_up := _given_up.get(token)) is not None:
            # Those that go with it hear of it in the same breath, before or after.
            given_up.call_soon(lambda: _given_up.pop(token, None))
        elif (popup := _open.get(token)) is not None:
            popup.is_shown = False
            if popup.goes_with_another() and not popup.answer.done():
                popup.values = popup.keep(self)
                popup.is_on_its_way = True
                popup.call_soon(_come_back)
            else:
                popup.end(None)


class AIOBPY_OT_popup(PopupMethods, bpy.types.Operator):
    """Ask for add-ons that await the answer"""

    bl_idname = "aiobpy.popup"
    bl_label = ""
    bl_options = {'INTERNAL'}

    aiobpy_token: bpy.props.StringProperty(options={'HIDDEN', 'SKIP_SAVE'})  # type: ignore[valid-type]


class AIOBPY_OT_popup_choose(bpy.types.Operator):
    """Choose this"""

    bl_idname = "aiobpy.popup_choose"
    bl_label = "Choose"
    bl_options = {'INTERNAL'}

    token: bpy.props.StringProperty(options={'HIDDEN', 'SKIP_SAVE'})  # type: ignore[valid-type]
    number: bpy.props.IntProperty(options={'HIDDEN', 'SKIP_SAVE'})  # type: ignore[valid-type]

    def execute(self, _context: bpy.types.Context) -> set[str]:
        if (popup := _open.get(self.token)) is not None:
            popup.end(self.number)
        return {'FINISHED'}


async def ask(popup: Popup) -> Any:
    """Open a popup and wait for its answer; None if the person gives none."""
    registered.ensure(popup.operator)
    registered.ensure(AIOBPY_OT_popup_choose)
    registered.after_each_load(_end_all)
    _open[popup.token] = popup
    try:
        popup.show()
        return await popup.answer
    finally:
        del _open[popup.token]
        if popup.is_shown:
            with contextlib.suppress(Exception):
                popup.close()


def _of(operator: Any) -> Popup | None:
    return _open.get(operator.aiobpy_token)


def _come_back() -> None:
    """Open those again that were closed with another, the lowest first."""
    for popup in list(_open.values()):
        if popup.is_on_its_way and not popup.answer.done():
            popup.is_on_its_way = False
            try:
                popup.show()
            except Exception as error:
                _log.exception("could not open a popup again")
                popup.fail(error)


def _end_all() -> None:
    """A file was loaded. Blender has closed them; should it not have said so, this does."""
    _given_up.clear()
    for popup in list(_open.values()):
        popup.is_shown = popup.is_on_its_way = False
        popup.end(None)


_log = logging.getLogger(__name__)
_open: dict[str, Popup] = {}
"""By token: those that are awaited."""
_given_up: dict[str, Popup] = {}
"""By token: those that nobody awaits any more, and that Blender has not closed yet."""
