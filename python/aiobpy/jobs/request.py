"""What a render is to be: decided before Blender is touched."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy.jobs.outcomes import RenderError

if TYPE_CHECKING:
    from collections.abc import Iterable

PART: Final = ".aiobpy-part"
"""In the name of a picture that is not complete yet."""

_SAME: Final = {".jpeg": ".jpg", ".tiff": ".tif"}


@dataclass(frozen=True, slots=True)
class Request:
    """A render, checked.

    Attributes:
        scene: The name of the scene.
        frames: The frames, one for a picture.
        is_animation: Whether Blender writes each frame by itself.
        is_film: Whether all frames become one file.
        write: Where the caller wants it, absolute; None for the scene's own place, which a picture
            is not written to.
    """

    scene: str
    frames: range
    is_animation: bool
    is_film: bool
    write: Path | None

    def part(self) -> Path | None:
        """Return where a picture is written until it is complete."""
        if self.write is None or self.is_animation:
            return None
        return self.write.with_name(f"{self.write.stem}{PART}{self.write.suffix}")


def check(
    scene: str | None,
    frame: int | None,
    animation: bool | range,
    write: str | os.PathLike[str] | None,
) -> Request:
    """Return what is to be rendered.

    Raises:
        ValueError: There is no such scene, the arguments contradict one another, or the name of the
            file does not fit what the scene writes.
        RenderError: The scene has no camera, or writes films where a picture is wanted.
    """
    chosen = _scene(scene)
    if frame is not None and animation is not False:
        msg = "`frame` is for one picture and `animation` for many: give one of them"
        raise ValueError(msg)
    frames = _frames(chosen, frame, animation)
    is_film = bool(chosen.render.is_movie_format)
    is_animation = animation is not False
    if chosen.camera is None and not _needs_no_camera(chosen):
        msg = f"the scene {chosen.name!r} has no camera; set `scene.camera`"
        raise RenderError(msg)
    if is_film and write is not None and not is_animation:
        msg = (
            f"the scene {chosen.name!r} writes films ({chosen.render.image_settings.file_format});"
            " for a picture set `scene.render.image_settings.file_format`, for a film pass"
            " `animation=True`"
        )
        raise RenderError(msg)
    path = None if write is None else Path(bpy.path.abspath(os.fspath(write))).absolute()
    if path is not None and not is_animation:
        path = _picture(path, chosen)
    return Request(chosen.name, frames, is_animation, is_film, path)


def _scene(name: Any) -> Any:
    if name is None:
        return bpy.context.scene
    if not isinstance(name, str):
        msg = f"`scene` is the name of a scene, not {name!r}; pass its `.name`"
        raise TypeError(msg)
    scene = bpy.data.scenes.get(name)
    if scene is None:
        msg = f"there is no scene {name!r}; {_hint(name, bpy.data.scenes.keys())}"
        raise ValueError(msg)
    return scene


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known)
    return f"did you mean {near[0]!r}?" if near else f"there is {', '.join(map(repr, known))}"


def _frames(scene: Any, frame: int | None, animation: bool | range) -> range:
    if isinstance(animation, range):
        if not animation or animation.step < 1:
            msg = f"`animation` is a range of frames that go up, not {animation!r}"
            raise ValueError(msg)
        return animation
    if animation:
        return range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    number = scene.frame_current if frame is None else frame
    return range(number, number + 1)


def _needs_no_camera(scene: Any) -> bool:
    """A scene that is a cut of films, or of nodes alone, is rendered without one."""
    return bool(
        (scene.render.use_sequencer and scene.sequence_editor)
        or (scene.render.use_compositing and scene.use_nodes)
    )


def _picture(path: Path, scene: Any) -> Path:
    wanted = scene.render.file_extension.lower()
    suffix = path.suffix.lower()
    if not suffix:
        return path.with_name(path.name + wanted)
    if _SAME.get(suffix, suffix) != wanted:
        file_format = scene.render.image_settings.file_format
        msg = (
            f"the scene {scene.name!r} writes {file_format} ({wanted}), and {path.name!r} is"
            " something else; set `scene.render.image_settings.file_format`, or name the file so"
        )
        raise ValueError(msg)
    return path
