"""The editor's half: starts another Blender, tells it what to render, and hears how far it is."""

from __future__ import annotations

import dataclasses
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

import aiobpy

if TYPE_CHECKING:
    from .timing import Caption

STUDIO = Path(__file__).with_name("studio.py")
"""The other half."""


@dataclass(frozen=True)
class Picture:
    """What the captions are rendered for: as large and as fast as the edited film."""

    width: int
    height: int
    fps: float
    colour: str = "#ffffff"
    samples: int = 8

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> Picture:
        """Return what fits a scene."""
        render = scene.render
        scale = render.resolution_percentage / 100
        return cls(
            max(int(render.resolution_x * scale), 16),
            max(int(render.resolution_y * scale), 16),
            render.fps / render.fps_base,
        )


@dataclass(frozen=True)
class Rendered:
    """A caption that has been rendered."""

    text: str
    begin: float
    """Seconds from the first caption's beginning of time."""
    frames: list[Path]
    """Pictures with transparency, one for each frame."""


def folder_for(scene: str) -> Path:
    """Return a new folder for pictures: beside the file, or a temporary one if it is not saved."""
    beside = Path(bpy.data.filepath).parent if bpy.data.filepath else Path(bpy.app.tempdir)
    name = re.sub(r"\W+", "_", scene).strip("_") or "scene"
    return beside / "captions" / f"{name}-{uuid.uuid4().hex[:8]}"


async def render(
    captions: list[Caption], picture: Picture, folder: Path, say: Any
) -> list[Rendered]:
    """Have another Blender render captions; this one goes on meanwhile.

    Cancelling the task ends the other Blender.

    Args:
        captions: What to show.
        picture: What it is for.
        folder: Where the pictures go.
        say: Is told how far it is, from 0 to 1, and what it does.

    Raises:
        aiobpy.fleet.FleetError: The other Blender has failed; the text says why.
    """
    say(0.0, "starting another Blender")
    rendered = []
    async with aiobpy.fleet.instance(modules=[STUDIO]) as other:
        for number, caption in enumerate(captions):

            def tell(fraction: float | None, _text: str, done: int = number) -> None:
                share = (done + (fraction or 0.0)) / len(captions)
                say(share, f"caption {done + 1} of {len(captions)}")

            tell(0.0, "")
            params = {
                "text": caption.text,
                "frames": max(round(caption.seconds * picture.fps), 1),
                "folder": str(folder / f"{number + 1:03}"),
                "picture": dataclasses.asdict(picture),
            }
            files = await other.call("captions.render", params, on_progress=tell)
            frames = [Path(file) for file in files]
            rendered.append(Rendered(caption.text, caption.begin, frames))
    return rendered
