"""The one scene that a worker has open, and what it was when it was opened."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import applied, problems, safety
from aiobpy.worker.places import INPUT, places
from aiobpy.worker.state import IrreversibleError, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aiobpy.templates import Template


class OpenScene:
    """Keeps a template's scene open between its jobs."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._state: State | None = None
        self._is_touched = False
        self._copies: dict[tuple[object, ...], Path] = {}
        """Of scenes with modifiers applied."""

    def open_for(self, template: Template, params: Mapping[str, Any]) -> None:
        """Have the template's scene open, as it is in its file.

        A scene that is open stays open, unless its file has changed.

        Raises:
            JobError: There is no such file, Blender cannot read it, or its modifiers cannot be
                applied.
        """
        path = _scene_of(template, params)
        key = (template.name, *_key_of(path))
        self.restore()
        if key != self._key:
            self.forget()
            readable = None
            if template.scene_from is not None and path is not None:
                readable = _allowed(path, str(params[template.scene_from]))
            if template.apply_modifiers and path is not None:
                if key not in self._copies:
                    _load(path, readable, trusted=template.trusted)
                    self._copies[key] = applied.save_copy(path, template.apply_modifiers)
                path = self._copies[key]
            _load(path, readable, trusted=template.trusted)
            self._state = State() if template.between_jobs == "restore" else None
            self._key = key
        self._is_touched = template.between_jobs != "keep"

    def restore(self) -> None:
        """Make the scene what it was before the last job, or have it loaded anew next time."""
        if not self._is_touched:
            return
        self._is_touched = False
        try:
            if self._state is None:
                self.forget()
            else:
                self._state.restore()
        except IrreversibleError as error:
            print(f"The scene is loaded anew: {error}", file=sys.stderr)  # noqa: T201 - kept with the job
            self.forget()

    def forget(self) -> None:
        """Load the scene anew next time: what is open may be half changed."""
        self._key, self._state, self._is_touched = None, None, False


def _scene_of(template: Template, params: Mapping[str, Any]) -> Path | None:
    if template.scene_from is None:
        return template.scene
    name = params.get(template.scene_from)
    if name is None:
        return None
    try:
        return places.readable(str(name))
    except ValueError as error:
        raise problems.parameter_unfit(template.name, error, template.scene_from) from None


def _allowed(path: Path, name: str) -> list[Path]:
    """Where a scene that a client named may read: one that was sent, nowhere."""
    return [*places.roots] if name.startswith(INPUT) else [*places.roots, path.parent]


def _key_of(path: Path | None) -> tuple[object, ...]:
    if path is None:
        return (None,)
    try:
        stat = path.stat()
    except OSError:
        raise problems.scene_missing(path) from None
    return (path, stat.st_mtime_ns, stat.st_size)


def _load(path: Path | None, readable: Sequence[Path] | None, *, trusted: bool) -> None:
    """Open a scene; one that is not trusted runs no scripts, and reads in some folders alone."""
    if path is None:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        if not bpy.context.scene.world:
            bpy.context.scene.world = bpy.data.worlds.new("World")
        return
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=trusted)
    except RuntimeError as error:
        raise problems.scene_unreadable(path, error) from None
    if not trusted:
        safety.tame(readable)
