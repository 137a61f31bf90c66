"""Renders the open scene into a file, as a job wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import device, problems
from aiobpy.worker.tiles import tile_size

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = {"png": 'PNG', "jpeg": 'JPEG', "webp": 'WEBP', "exr": 'OPEN_EXR'}
"""What Blender writes itself."""
_HAS_ALPHA = {'PNG', 'WEBP', 'OPEN_EXR'}
_ENGINES = {
    "cycles": ('CYCLES',),
    "eevee": ('BLENDER_EEVEE_NEXT', 'BLENDER_EEVEE'),
    "workbench": ('BLENDER_WORKBENCH',),
}
_METADATA = ("use_stamp_date", "use_stamp_filename", "use_stamp_render_time", "use_stamp_time")


def set_up(request: dict[str, Any]) -> None:
    """Set the open scene up as a job wants it.

    Args:
        request: A `wire::OutputRequest`: what is left out stays as the template has it.

    Raises:
        JobError: This Blender has no such engine.
    """
    scene = bpy.context.scene
    _set_engine(scene, request.get("engine"))
    _set_size(scene, request.get("width"), request.get("height"))
    _set_samples(scene, request.get("samples"))
    _say_less_in_files(scene.render)
    scene.render.use_persistent_data = True
    if scene.render.engine == 'CYCLES' and device.is_chosen():
        scene.cycles.device = 'GPU'
    if (frame := request.get("frame")) is not None:
        scene.frame_set(frame)


def picture(path: Path, kind: str, quality: int | None = None) -> None:
    """Render the open scene and write it to `path`.

    Args:
        path: A file that does not exist yet.
        kind: One of `FORMATS`.
        quality: 1 to 100, of what loses something; as the scene has it if left out.

    Raises:
        JobError: Blender cannot render the scene, or cannot write the picture.
    """
    scene = bpy.context.scene
    _set_format(scene, FORMATS[kind], quality)
    if scene.render.engine == 'CYCLES' and scene.cycles.device == 'CPU':
        _report_often(scene)
    _run(scene)
    _write(scene, path)


def _set_engine(scene: Any, engine: str | None) -> None:
    if engine is None:
        return
    for name in _ENGINES[engine]:
        try:
            scene.render.engine = name
        except TypeError:
            continue
        return
    raise problems.engine_missing(engine)


def _set_size(scene: Any, width: int | None, height: int | None) -> None:
    if width is None and height is None:
        return
    render = scene.render
    percentage = render.resolution_percentage / 100
    render.resolution_x = width or max(round(render.resolution_x * percentage), 4)
    render.resolution_y = height or max(round(render.resolution_y * percentage), 4)
    render.resolution_percentage = 100


def _set_samples(scene: Any, samples: int | None) -> None:
    if samples is None:
        return
    if scene.render.engine == 'CYCLES':
        scene.cycles.samples = samples
    elif scene.render.engine.startswith('BLENDER_EEVEE'):
        scene.eevee.taa_render_samples = samples


def _set_format(scene: Any, file_format: str, quality: int | None) -> None:
    settings = scene.render.image_settings
    if quality is not None:
        settings.quality = quality
    if settings.file_format == file_format:
        return
    if hasattr(settings, "media_type"):
        settings.media_type = 'IMAGE'
    settings.file_format = file_format
    transparent = scene.render.film_transparent and file_format in _HAS_ALPHA
    settings.color_mode = 'RGBA' if transparent else 'RGB'
    settings.color_depth = '16' if file_format == 'OPEN_EXR' else '8'


def _say_less_in_files(render: Any) -> None:
    """Keep the server's paths and the time of day out of the pictures' metadata.

    The same settings say what is burnt into a picture, if the scene wants that: then they stay.
    """
    if not render.use_stamp:
        for name in _METADATA:
            setattr(render, name, False)


def _report_often(scene: Any) -> None:
    """Have Cycles say often within the frame how far it is.

    On its own it says so once it has taken a batch of samples of the whole picture, and in the
    background a batch may be all of them. It also says so after each tile. The picture is the same,
    to the bit; so is the time at 32 samples. At 8 it is 1 to 5 % more; smaller tiles cost 20 %.
    """
    render = scene.render
    percentage = render.resolution_percentage / 100
    width, height = int(render.resolution_x * percentage), int(render.resolution_y * percentage)
    if side := tile_size(width, height, scene.cycles.samples):
        scene.cycles.use_auto_tile = True
        scene.cycles.tile_size = side


def _run(scene: Any) -> None:
    try:
        result = bpy.ops.render.render(scene=scene.name)
    except RuntimeError as error:
        raise problems.render_failed(error) from None
    if 'FINISHED' not in result:
        raise problems.render_failed("it was cancelled")


def _write(scene: Any, path: Path) -> None:
    try:
        bpy.data.images["Render Result"].save_render(str(path), scene=scene)
    except (KeyError, RuntimeError) as error:
        raise problems.image_unwritten(path, error) from None
    if not path.exists():
        raise problems.image_unwritten(path, "there is no file where it should be")
