"""The one scene that a worker has open, and the settings that it had when it was opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from aiobpy.worker import problems
from aiobpy.worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from aiobpy.templates import Template


class OpenScene:
    """Keeps a template's scene open between its jobs."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._settings: Settings | None = None

    def open_for(self, template: Template) -> None:
        """Have the template's scene open, with its own render settings.

        A scene that is open stays open, unless its file has changed.

        Raises:
            JobError: There is no such file, or Blender cannot read it.
        """
        key = (template.name, *_key_of(template.scene))
        if key != self._key or self._settings is None:
            self.forget()
            _load(template.scene)
            self._settings = Settings(bpy.context.scene)
            self._key = key
        self._settings.restore(bpy.context.scene)

    def forget(self) -> None:
        """Load the scene anew next time: what is open may be half changed."""
        self._key = None


def _key_of(path: Path | None) -> tuple[object, ...]:
    if path is None:
        return (None,)
    try:
        stat = path.stat()
    except OSError:
        raise problems.scene_missing(path) from None
    return (path, stat.st_mtime_ns, stat.st_size)


def _load(path: Path | None) -> None:
    if path is None:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        if not bpy.context.scene.world:
            bpy.context.scene.world = bpy.data.worlds.new("World")
        return
    try:
        # Scripts inside a .blend never run by themselves.
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise problems.scene_unreadable(path, error) from None
