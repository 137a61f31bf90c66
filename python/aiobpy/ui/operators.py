"""`ui.operator`: an operator of Blender's, awaited to its end."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy import host, modal, owners
from aiobpy.places import context as place
from aiobpy.ui import needs, popup_watch, windows

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_LOOK_AGAIN: Final = 0.02
"""Seconds until we look again whether an operator still runs."""


_AREAS_BY_CATEGORY: Final = {
    "action": 'DOPESHEET_EDITOR',
    "clip": 'CLIP_EDITOR',
    "console": 'CONSOLE',
    "file": 'FILE_BROWSER',
    "graph": 'GRAPH_EDITOR',
    "image": 'IMAGE_EDITOR',
    "info": 'INFO',
    "mask": 'CLIP_EDITOR',
    "nla": 'NLA_EDITOR',
    "node": 'NODE_EDITOR',
    "outliner": 'OUTLINER',
    "sequencer": 'SEQUENCE_EDITOR',
    "spreadsheet": 'SPREADSHEET',
    "text": 'TEXT_EDITOR',
    "transform": 'VIEW_3D',
    "uv": 'IMAGE_EDITOR',
    "view3d": 'VIEW_3D',
}


class NotPolledError(RuntimeError):
    """An operator that Blender would not run as things stand."""


async def operator(
    name: str, *, area: str | None = None, execution: str | None = None, **properties: Any
) -> set[str]:
    """Run an operator, and wait until it ends: `await ui.operator("transform.translate")`.

    In a Blender with windows a modal operator has the person's hands meanwhile, a popup their
    answer, and a file browser their choice. Elsewhere operators run to their end at once.

    Args:
        name: As in `bpy.ops`: `mesh.subdivide`.
        area: The kind of the area that it needs, as in `'VIEW_3D'`; none if left out.
        execution: `'INVOKE_DEFAULT'` asks the person, `'EXEC_DEFAULT'` does not; others are
            Blender's. If left out, the first in a Blender with windows, else the second.
        properties: The operator's own.

    Returns:
        What the operator did: `{'FINISHED'}` or `{'CANCELLED'}`. Blender only has a record of
        operators that can be undone or repeated: of others that were modal, the answer is
        `{'FINISHED'}` in any case.

    Raises:
        NotPolledError: It cannot run now, or not here; the text has Blender's reason, and says in
            which area it could.
        LookupError: There is no such area.
        AttributeError: There is no such operator.
        TypeError: It has no such property.
        RuntimeError: It reported an error, or this is not the main thread.
    """
    needs.main_thread("run an operator")
    call, identifier = _found(name)
    if execution is None:
        execution = 'INVOKE_DEFAULT' if host.has_main_loop() else 'EXEC_DEFAULT'
    run = _Run(identifier)
    with popup_watch.Watch() as popups:
        with _place(area):
            if host.has_main_loop() and execution.startswith('INVOKE'):
                popups.begin()
            result = _call(call, name, area, execution, properties)
        if 'RUNNING_MODAL' not in result or not host.has_main_loop():
            return result
        while (ended := run.result(popups)) is None:  # noqa: ASYNC110 - Blender tells nobody
            await asyncio.sleep(_LOOK_AGAIN)
        return ended


class _Run:
    """One run of an operator, from before it begins: what Blender has on record tells its end."""

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier
        self._running_before = set(self._running())
        self._recorded_before = set(self._recorded())
        self._addresses: set[int] = set()

    def result(self, popups: popup_watch.Watch) -> set[str] | None:
        """Return what became of it; None while it runs."""
        running = set(self._running()) - self._running_before
        self._addresses |= running
        if running:
            return None
        # It is recorded at the address where it ran; that of a popup is not known.
        recorded = set(self._recorded())
        if recorded & self._addresses or (recorded - self._recorded_before):
            return {'FINISHED'}
        if not self._addresses and not popups.has_closed:
            return None
        return {'CANCELLED'} if self._is_recorded() else {'FINISHED'}

    def _running(self) -> list[int]:
        return [
            address
            for window in bpy.context.window_manager.windows
            for name, address in modal.running_in(window)
            if name == self._identifier
        ]

    def _recorded(self) -> list[int]:
        return [
            operator.as_pointer()
            for operator in bpy.context.window_manager.operators
            if operator.bl_idname == self._identifier
        ]

    def _is_recorded(self) -> bool:
        category, _, name = self._identifier.partition("_OT_")
        options = getattr(getattr(bpy.ops, category.lower()), name).bl_options
        return bool(options & {'REGISTER', 'UNDO'})


def _found(name: str) -> tuple[Any, str]:
    category, _, rest = name.removeprefix("bpy.ops.").partition(".")
    group = getattr(bpy.ops, category, None)
    call = getattr(group, rest, None) if rest and rest.isidentifier() else None
    try:
        if call is not None:
            return call, call.get_rna_type().identifier
    except KeyError:
        pass
    known = [f"{category}.{operator}" for operator in dir(group)] if group else dir(bpy.ops)
    near = difflib.get_close_matches(name, known, n=3)
    whose = owners.current().short_name
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    msg = f"{whose} runs the operator {name!r}, which this Blender does not have{hint}"
    raise AttributeError(msg)


def _place(area: str | None) -> AbstractContextManager[object]:
    """Return the context for an operator: where a person has started what runs, if nowhere else."""
    if area is not None:
        return place(area)
    if not host.has_main_loop():
        return contextlib.nullcontext()
    override: AbstractContextManager[object] = bpy.context.temp_override(window=windows.home())
    return override


def _call(
    call: Any, name: str, area: str | None, execution: str, properties: dict[str, Any]
) -> set[str]:
    try:
        result: set[str] = call(execution, **properties)
    except RuntimeError as error:
        _, is_poll, reason = str(error).partition(".poll()")
        if not is_poll:
            raise
        raise NotPolledError(_not_polled(call, name, area, reason.strip(" :"))) from None
    return result


def _not_polled(call: Any, name: str, area: str | None, reason: str) -> str:
    """Return why an operator does not run, and where it would."""
    where = f"in the area {area}" if area else "outside of any area"
    text = f"{owners.current().short_name} cannot run bpy.ops.{name} {where}: {reason}"
    kinds = sorted(_areas_that_poll(call))
    if kinds and area not in kinds:
        return f"{text}; it can run in {' or '.join(kinds)}: pass area={kinds[0]!r}"
    category = name.removeprefix("bpy.ops.").partition(".")[0]
    needed = _AREAS_BY_CATEGORY.get(category)
    hint = f", and operators of {category!r} belong into {needed}" if needed else ""
    return f"{text}; it can run in none of the areas shown: the mode is {bpy.context.mode}{hint}"


def _areas_that_poll(call: Any) -> set[str]:
    kinds = set()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            regions = [region for region in area.regions if region.type == 'WINDOW']
            for region in regions[:1]:
                with bpy.context.temp_override(window=window, area=area, region=region):
                    if call.poll():
                        kinds.add(area.type)
    return kinds
