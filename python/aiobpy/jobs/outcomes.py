"""What a job brings, and what can go wrong with it: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RenderProgress:
    """How far a render is.

    Attributes:
        fraction: Of all frames together, from 0 to 1; None while nobody knows. Blender before 5.0
            does not tell how far a single frame is when it renders beside its interface.
        frame: The frame that is rendered now.
        done: How many frames are done.
        frames: How many there are.
        text: What the engine says.
    """

    fraction: float | None
    frame: int
    done: int
    frames: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A render that has ended well.

    Attributes:
        scene: The name of the scene.
        paths: The files that were written: one per frame, or one film. None if nothing was to be.
        frames: How many frames were rendered.
        seconds: How long it took.
    """

    scene: str
    paths: tuple[Path, ...]
    frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Baked:
    """A bake that has ended well.

    Attributes:
        objects: The names of the objects.
        seconds: How long it took.
    """

    objects: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class BlendFile:
    """A file that was saved or opened.

    Attributes:
        path: Where it is.
        seconds: How long it took.
    """

    path: Path
    seconds: float


class RenderError(RuntimeError):
    """Blender cannot render, or could not to the end."""


class RenderStopped(RenderError):
    """Somebody stopped the render in Blender: with Escape, by closing its window, by an undo.

    Attributes:
        paths: The files that had been written by then.
    """

    def __init__(self, message: str, paths: tuple[Path, ...] = ()) -> None:
        super().__init__(message)
        self.paths = paths


class BakeError(RuntimeError):
    """Blender cannot bake, or could not to the end."""


class BlendFileError(RuntimeError):
    """Blender cannot read or write a .blend."""


def one_line(error: Exception) -> str:
    """Return what Blender said, without its ornaments."""
    return " ".join(str(error).replace("Error: ", "").split())
