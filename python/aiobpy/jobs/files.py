"""`await aiobpy.save(...)` and `await aiobpy.open_file(...)`.

Blender reads and writes a .blend in one go, with or without windows, and cannot be interrupted.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import main_loop
from aiobpy.jobs import rendering, stopping
from aiobpy.jobs.outcomes import BlendFile, BlendFileError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable


async def save(path: str | os.PathLike[str] | None = None, *, copy: bool = False) -> BlendFile:
    """Save the open file, and return where it is.

    Args:
        path: Where to; if left out, where it is now.
        copy: Whether it stays open under the name that it has.

    Raises:
        FileNotFoundError: There is no such folder.
        BlendFileError: It has never been saved and no path was given, or Blender cannot write it.
    """
    if path is None and not bpy.data.filepath:
        msg = "the open file has no name yet; pass a path to save it to"
        raise BlendFileError(msg)
    target = _absolute(bpy.data.filepath if path is None else path)
    if not target.parent.is_dir():
        msg = f"there is no folder {target.parent} to save {target.name} in"
        raise FileNotFoundError(msg)
    if target.is_dir():
        # Blender 4.2 would replace an empty one.
        msg = f"Blender cannot write {target}: it is a folder"
        raise BlendFileError(msg)
    await main_loop.hands_off()
    began = time.monotonic()
    _run(bpy.ops.wm.save_as_mainfile, "write", target, copy=copy)
    seconds = time.monotonic() - began
    await main_loop.frame()
    return BlendFile(target, seconds)


async def open_file(
    path: str | os.PathLike[str], *, load_ui: bool | None = None, use_scripts: bool | None = None
) -> BlendFile:
    """Open a .blend in place of the file that is open; what is not saved is lost.

    The task that awaits goes on in the new file, and so does every other; timers and handlers of
    aiobpy live on. Data-blocks do not: what a variable holds of the old file is gone.

    Args:
        path: The file.
        load_ui: Whether its windows and workspaces replace those that are open; as in the
            preferences if left out.
        use_scripts: Whether scripts in it may run by themselves; as in the preferences if left out,
            where it is off unless a person has switched it on.

    Raises:
        FileNotFoundError: There is no such file.
        BlendFileError: Blender cannot read it, or a render runs, which the load would end.
    """
    source = _absolute(path)
    if not source.is_file():
        msg = f"there is no file {source}"
        raise FileNotFoundError(msg)
    if rendering.is_under_way() or stopping.is_rendering():
        msg = f"a render runs, and opening {source.name} would end it; await or cancel it first"
        raise BlendFileError(msg)
    preferences = bpy.context.preferences.filepaths
    if load_ui is None:
        load_ui = preferences.use_load_ui
    if use_scripts is None:
        use_scripts = preferences.use_scripts_auto_execute
    began = time.monotonic()
    _run(bpy.ops.wm.open_mainfile, "read", source, load_ui=load_ui, use_scripts=use_scripts)
    seconds = time.monotonic() - began
    # What is awaited next finds a context with a window of the new file.
    await main_loop.frame()
    return BlendFile(source, seconds)


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(bpy.path.abspath(os.fspath(path))).absolute()


def _run(operator: Callable[..., Any], deed: str, path: Path, **properties: Any) -> None:
    try:
        with main_loop.with_a_window():
            result = operator(filepath=str(path), **properties)
    except RuntimeError as error:
        msg = f"Blender cannot {deed} {path}: {one_line(error)}"
        raise BlendFileError(msg) from None
    if 'FINISHED' not in result:
        msg = f"Blender did not {deed} {path}"
        raise BlendFileError(msg)
