"""The render settings that a worker changes, so that nothing leaks from one job to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# In an order in which they can be set: the medium decides which formats there are, the format
# which colours and depths.
_SETTINGS = (
    "render.engine",
    "render.resolution_x",
    "render.resolution_y",
    "render.resolution_percentage",
    "render.use_persistent_data",
    "render.use_stamp_date",
    "render.use_stamp_filename",
    "render.use_stamp_render_time",
    "render.use_stamp_time",
    "render.image_settings.media_type",
    "render.image_settings.file_format",
    "render.image_settings.color_mode",
    "render.image_settings.color_depth",
    "render.image_settings.quality",
    "render.image_settings.compression",
    "cycles.samples",
    "cycles.use_auto_tile",
    "cycles.tile_size",
    "eevee.taa_render_samples",
    "frame_current",
)


class Settings:
    """A scene's settings as they were.

    Args:
        scene: The `bpy.types.Scene` to read them from.
    """

    def __init__(self, scene: Any) -> None:
        self._values = [
            (owner, name, value)
            for owner, name in _owners()
            if (value := getattr(_resolve(scene, owner), name, None)) is not None
        ]

    def restore(self, scene: Any) -> None:
        """Set what differs: setting what is the same would make Blender look again."""
        for owner, name, value in self._values:
            holder = _resolve(scene, owner)
            if getattr(holder, name) != value:
                setattr(holder, name, value)


def _owners() -> Iterator[tuple[str, str]]:
    for setting in _SETTINGS:
        owner, _, name = setting.rpartition(".")
        yield owner, name


def _resolve(scene: Any, owner: str) -> Any:
    for name in filter(None, owner.split(".")):
        scene = getattr(scene, name, None)
    return scene
