"""`ui.pick_file`, `ui.pick_files` and `ui.pick_directory`: Blender's file browser, awaited.

Blender has one file browser; opening another closes the first. So whoever comes second waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.ui import needs, registered, windows
from aiobpy.ui.answer import Request

if TYPE_CHECKING:
    from collections.abc import Callable


async def pick_file(
    title: str = "Open",
    *,
    filter: str = "",  # noqa: A002 - as Blender calls it, more or less
    start: Path | str | None = None,
    save: bool = False,
) -> Path | None:
    """Let a person choose a file.

    Args:
        title: The text of the button.
        filter: The files to show, as in `"*.png;*.jpg"`; all if left out.
        start: The file or folder to begin with; a folder ends with a slash or exists.
        save: The file is to be written: it need not exist, and one that does is shown in red.

    Returns:
        Where it is; None if the person cancelled, or loaded a file.

    Raises:
        RuntimeError: This Blender has no windows, or this is not the main thread.
    """
    picked: Path | None = await _browse(
        ("FILE", title, save), _at(start), filter, lambda shown: _path(shown.filepath)
    )
    return picked


async def pick_files(
    title: str = "Open",
    *,
    filter: str = "",  # noqa: A002 - as Blender calls it, more or less
    start: Path | str | None = None,
) -> list[Path] | None:
    """Let a person choose one or more files of a folder; otherwise as `pick_file`."""

    def read(shown: Any) -> list[Path]:
        names = [entry.name for entry in shown.files if entry.name]
        if not names:
            return [_path(shown.filepath)]
        return [_path(shown.directory) / name for name in names]

    picked: list[Path] | None = await _browse(("FILES", title, False), _at(start), filter, read)
    return picked


async def pick_directory(
    title: str = "Choose Folder", *, start: Path | str | None = None
) -> Path | None:
    """Let a person choose a folder; otherwise as `pick_file`."""
    at = {"directory": f"{start}/"} if start is not None else {}
    picked: Path | None = await _browse(
        ("FOLDER", title, False), at, "", lambda shown: _path(shown.directory)
    )
    return picked


class _Browsing(Request):
    """One file browser, and who waits for it."""

    def __init__(self, read: Callable[[Any], Any], only: str) -> None:
        super().__init__()
        self.read = read
        self.only = only


class FileBrowserMethods:
    """What makes an operator open the file browser; its property `aiobpy_token` says for whom."""

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        registered.note_opened(type(self))
        return {'RUNNING_MODAL'}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        registered.note_closed(type(self))
        if (request := _waiting.get(self.aiobpy_token)) is not None:  # type: ignore[attr-defined]
            try:
                request.end(request.read(self))
            except Exception as error:
                request.fail(error)
        return {'FINISHED'}

    def cancel(self, _context: bpy.types.Context) -> None:
        registered.note_closed(type(self))
        if (request := _waiting.get(self.aiobpy_token)) is not None:  # type: ignore[attr-defined]
            request.end(None)


async def _browse(
    key: tuple[str, str, bool], at: dict[str, str], only: str, read: Callable[[Any], Any]
) -> Any:
    needs.windows("open the file browser")
    async with _turn():
        operator = _operators.take(key, key)
        registered.after_each_load(_end_all)
        request = _Browsing(read, only)
        _waiting[request.token] = request
        try:
            _open(operator, request, at)
            return await request.answer
        finally:
            del _waiting[request.token]
            if not request.answer.done() or request.answer.cancelled():
                with contextlib.suppress(Exception):
                    _close(request.token)
            _operators.give_back(key)


def _open(operator: type[bpy.types.Operator], request: _Browsing, at: dict[str, str]) -> None:
    category, name = operator.bl_idname.split(".")
    values = {**at, "aiobpy_token": request.token}
    if "filter_glob" in operator.__annotations__:
        values["filter_glob"] = request.only
    with bpy.context.temp_override(window=windows.home()):
        getattr(getattr(bpy.ops, category), name)('INVOKE_DEFAULT', **values)


def _close(token: str) -> None:
    """Close the file browser that nobody awaits any more."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == 'FILE_BROWSER' and _token_in(area) == token:
                region = next(region for region in area.regions if region.type == 'WINDOW')
                with bpy.context.temp_override(window=window, area=area, region=region):
                    bpy.ops.file.cancel()
                return


def _token_in(area: Any) -> str | None:
    operator = area.spaces.active.active_operator
    return getattr(operator.properties, "aiobpy_token", None) if operator is not None else None


def _at(start: Path | str | None) -> dict[str, str]:
    if start is None:
        return {}
    text = str(start)
    is_folder = text.endswith("/") or Path(text).is_dir()
    return {"filepath": f"{text.rstrip('/')}/" if is_folder else text}


def _path(text: str) -> Path:
    return Path(bpy.path.abspath(text))


def _turn() -> asyncio.Lock:
    # A lock is of one loop, and there may be another after a shut-down.
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _end_all() -> None:
    """A file was loaded. Blender has closed them; should it not have said so, this does."""
    for request in list(_waiting.values()):
        request.end(None)


def _make_operator(idname: str, key: tuple[str, str, bool]) -> type[bpy.types.Operator]:
    what, title, is_to_save = key
    hidden = {'HIDDEN', 'SKIP_SAVE'}
    properties = {"aiobpy_token": bpy.props.StringProperty(options=hidden)}
    if what != "FILE":
        properties["directory"] = bpy.props.StringProperty(subtype='DIR_PATH', options=hidden)
    if what == "FOLDER":
        properties["filter_folder"] = bpy.props.BoolProperty(default=True, options=hidden)
    else:
        properties["filepath"] = bpy.props.StringProperty(subtype='FILE_PATH', options=hidden)
        properties["filter_glob"] = bpy.props.StringProperty(options=hidden)
    if what == "FILES":
        kind = bpy.types.OperatorFileListElement
        properties["files"] = bpy.props.CollectionProperty(type=kind, options=hidden)
    if is_to_save:
        properties["check_existing"] = bpy.props.BoolProperty(default=True, options=hidden)
    category, _, name = idname.partition(".")
    members = {
        "__doc__": "Choose this",
        "__module__": __name__,
        "__annotations__": properties,
        "bl_idname": idname,
        "bl_label": title,
        "bl_options": {'INTERNAL'},
    }
    return type(f"{category.upper()}_OT_{name}", (FileBrowserMethods, bpy.types.Operator), members)


_operators = registered.Made(_make_operator, "browse")
_waiting: dict[str, _Browsing] = {}
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    weakref.WeakKeyDictionary()
)
