"""The scene's settings while a render is asked for, and as a person had them before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from pathlib import Path

    from aiobpy.jobs.request import Request


class Borrowed:
    """Settings of one scene that are put back: by the scene's name, for a file load frees it."""

    def __init__(self, scene: str) -> None:
        self._scene = scene
        self._kept: dict[str, Any] = {}

    def set(self, setting: str, value: Any) -> None:
        """Set what differs, and remember what it was."""
        holder, name = self._find(setting)
        present = getattr(holder, name)
        if present != value:
            self._kept.setdefault(setting, present)
            setattr(holder, name, value)

    def give_back(self) -> None:
        """Put all back. Does nothing for what is back, or if the scene has gone."""
        kept, self._kept = self._kept, {}
        if self._scene in bpy.data.scenes:
            for setting, value in reversed(kept.items()):
                holder, name = self._find(setting)
                setattr(holder, name, value)

    def _find(self, setting: str) -> tuple[Any, str]:
        holder = bpy.data.scenes[self._scene]
        *path, name = setting.split(".")
        for part in path:
            holder = getattr(holder, part)
        return holder, name


def borrow(request: Request) -> Borrowed:
    """Set a scene up for a render."""
    borrowed = Borrowed(request.scene)
    if request.is_animation:
        # In an order in which the start is never beyond the end.
        borrowed.set(
            "frame_end", max(request.frames[-1], bpy.data.scenes[request.scene].frame_start)
        )
        borrowed.set("frame_start", request.frames[0])
        borrowed.set("frame_end", request.frames[-1])
        borrowed.set("frame_step", request.frames.step)
        if request.write is not None:
            borrowed.set("render.filepath", _as_blender_reads(request.write))
    elif part := request.part():
        borrowed.set("render.use_file_extension", False)
        borrowed.set("render.filepath", _as_blender_reads(part))
    return borrowed


def written_paths(request: Request) -> list[str]:
    """Return where Blender writes an animation with the scene as it is set up now."""
    render = bpy.data.scenes[request.scene].render
    if request.is_film:
        return [bpy.path.abspath(render.frame_path())]
    return [bpy.path.abspath(render.frame_path(frame=frame)) for frame in request.frames]


def _as_blender_reads(path: Path) -> str:
    # From 5.0 on, braces in a path are a template.
    text = str(path)
    return text.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (5, 0, 0) else text
