"""What runs and what has failed, as a person sees it: the sidebar's tasks and the status bar."""

from __future__ import annotations

import itertools
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as translated
from bpy.app.translations import pgettext_rpt as translated_report

from aiobpy import modal, owners, progress

CATEGORY = "aiobpy"
"""The sidebar tab."""

_SHOWN_FROM = 0.5
"""Seconds that a task has run before the status bar tells of it: shorter ones would flicker."""


class AIOBPY_OT_task_cancel(bpy.types.Operator):
    """Cancel this task. It can still tidy up"""

    bl_idname = "aiobpy.task_cancel"
    bl_label = "Cancel Task"
    bl_options = {'INTERNAL'}

    number: bpy.props.IntProperty()  # type: ignore[valid-type]

    def execute(self, _context: bpy.types.Context) -> set[str]:
        if not progress.cancel(self.number):
            self.report({'INFO'}, translated_report("The task has ended already"))
            return {'CANCELLED'}
        return {'FINISHED'}


class AIOBPY_OT_failure_show(bpy.types.Operator):
    """Copy what went wrong to a text, and show that"""

    bl_idname = "aiobpy.failure_show"
    bl_label = "Show What Went Wrong"
    bl_options = {'INTERNAL'}

    number: bpy.props.IntProperty()  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        for failure in progress.failures():
            if failure.number == self.number:
                text = bpy.data.texts.new(f"{failure.name}.traceback")
                text.write(f"{failure.name} ({failure.owner})\n\n{failure.text}")
                _show(context, text)
                self.report(
                    {'INFO'}, translated_report('Copied to the text "{:s}"').format(text.name)
                )
                return {'FINISHED'}
        return {'CANCELLED'}


class AIOBPY_OT_failures_clear(bpy.types.Operator):
    """Forget the tasks that have failed"""

    bl_idname = "aiobpy.failures_clear"
    bl_label = "Clear"
    bl_options = {'INTERNAL'}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        progress.forget_failures()
        return {'FINISHED'}


class AIOBPY_OT_failure_tell(bpy.types.Operator):
    """Tell of a task that has failed, as Blender tells of other things: in the status bar"""

    bl_idname = "aiobpy.failure_tell"
    bl_label = "Task Failed"
    bl_options = {'INTERNAL'}

    text: bpy.props.StringProperty()  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        # Blender only shows the reports of what its own event handling runs.
        self._timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {'RUNNING_MODAL'}

    def modal(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.event_timer_remove(self._timer)
        self.report({'WARNING'}, self.text)
        return {'FINISHED', 'PASS_THROUGH'}


class AIOBPY_PT_tasks(bpy.types.Panel):
    """What runs on the event loop, by add-on."""

    bl_label = "Tasks"
    bl_category = CATEGORY
    bl_space_type = 'VIEW_3D'
    bl_region_type = 'UI'
    bl_order = 1

    def draw(self, _context: bpy.types.Context) -> None:
        works = [work for _, work in progress.under_way()]
        if not works:
            self.layout.label(text="Nothing Runs", icon='BLANK1')
        by_owner = sorted(works, key=lambda work: work.owner.name)
        for owner, group in itertools.groupby(by_owner, key=lambda work: work.owner):
            column = self.layout.column(align=True)
            column.label(text=name_of(owner.name), icon=_icon_of(owner), translate=False)
            for work in sorted(group, key=lambda work: work.began):
                _draw_work(column, work)


class AIOBPY_PT_failures(bpy.types.Panel):
    """What has failed."""

    bl_label = "Failed Tasks"
    bl_category = CATEGORY
    bl_space_type = 'VIEW_3D'
    bl_region_type = 'UI'
    bl_order = 2

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return bool(progress.failures())

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        self.layout.operator(AIOBPY_OT_failures_clear.bl_idname, text="", icon='X', emboss=False)

    def draw(self, _context: bpy.types.Context) -> None:
        for failure in reversed(progress.failures()):
            column = self.layout.column(align=True)
            column.label(
                text=f"{name_of(failure.owner)}: {failure.name}", icon='ERROR', translate=False
            )
            row = column.row(align=True)
            row.label(text=failure.summary, icon='BLANK1', translate=False)
            show = row.operator(AIOBPY_OT_failure_show.bl_idname, text="", icon='TEXT')
            show.number = failure.number


def name_of(owner: str) -> str:
    """Return what a person calls an owner: an add-on by its last name."""
    return translated("Scripts") if owner == owners.SCRIPTS else owner.rpartition(".")[2]


def elapsed(seconds: float) -> str:
    """Return a time as a person reads it: `0:07`, `12:30`, `1:00:00`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def status_text() -> str | None:
    """Return what the status bar says of the work under way; None if there is none to speak of."""
    works = [work for _, work in progress.under_way() if _is_long(work)]
    if not works:
        return None
    work = works[-1]
    share = "" if work.fraction is None else f" {work.fraction:.0%}"
    text = f" · {work.text}" if work.text else ""
    others = "" if len(works) == 1 else f"  (+{len(works) - 1})"
    return f"{name_of(work.owner.name)}: {work.name}{share}{text}{others}"


def refresh() -> bool:
    """Tell in the status bar what runs, and of what has failed since; return whether work runs."""
    _refresh_status_text()
    _tell_of_failures()
    return bool(progress.under_way())


def register() -> None:
    """Register the panels and their operators."""
    for kind in _classes:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Unregister them, and leave the status bar to Blender."""
    global _status, _told
    if _status is not None:
        _set_status_text(None)
    _status, _told = None, 0
    progress.forget_failures()
    for kind in reversed(_classes):
        bpy.utils.unregister_class(kind)


def _draw_work(layout: bpy.types.UILayout, work: progress.Work) -> None:
    row = layout.row(align=True)
    share = 0.0 if work.fraction is None else work.fraction
    text = f"{work.name}  {elapsed(work.seconds())}"
    if work.fraction is None:
        row.label(text=text, icon='SORTTIME', translate=False)
    else:
        row.progress(factor=share, text=f"{text}  {share:.0%}", translate=False)
    cancel = row.operator(AIOBPY_OT_task_cancel.bl_idname, text="", icon='X')
    cancel.number = work.number
    if work.text:
        layout.label(text=work.text, icon='BLANK1', translate=False)


def _is_long(work: progress.Work) -> bool:
    return (work.fraction is not None or bool(work.text)) and work.seconds() >= _SHOWN_FROM


def _icon_of(owner: owners.Owner) -> str:
    return 'SCRIPT' if owner.name == owners.SCRIPTS else 'PLUGIN'


def _refresh_status_text() -> None:
    global _status
    text = status_text()
    if text != _status and not _others_are_modal():
        _set_status_text(text)
        _status = text


def _others_are_modal() -> bool:
    """Whether the status bar is taken: a transform says there what its keys do."""
    return any(
        not name.startswith("AIOBPY_OT_")
        for window in bpy.context.window_manager.windows
        for name, _ in modal.running_in(window)
    )


def _set_status_text(text: str | None) -> None:
    for workspace in bpy.data.workspaces:
        workspace.status_text_set_internal(text)


def _tell_of_failures() -> None:
    global _told
    new = [failure for failure in progress.failures() if failure.number > _told]
    windows = bpy.context.window_manager.windows
    if not new or not windows:
        return
    _told = new[-1].number
    new = [failure for failure in new if not failure.is_told]
    if not new:
        return
    text = f"{name_of(new[-1].owner)}: {new[-1].name}: {new[-1].summary}"
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.aiobpy.failure_tell('INVOKE_DEFAULT', text=text)


def _show(context: bpy.types.Context, text: bpy.types.Text) -> None:
    """Show a text in a text editor that is open, or in a window of its own."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'TEXT_EDITOR':
                area.spaces.active.text = text
                return
    bpy.ops.wm.window_new()
    area = context.window_manager.windows[-1].screen.areas[0]
    area.type = 'TEXT_EDITOR'
    area.spaces.active.text = text


_classes: tuple[Any, ...] = (
    AIOBPY_OT_task_cancel,
    AIOBPY_OT_failure_show,
    AIOBPY_OT_failures_clear,
    AIOBPY_OT_failure_tell,
    AIOBPY_PT_tasks,
    AIOBPY_PT_failures,
)
_status: str | None = None
_told = 0
