"""Small pictures of images, as files of the web.

Blender reads and scales images on its main thread alone, so another Blender does it. What only this
one knows, a render or pixels that nobody has saved, is shrunk here.
"""

from __future__ import annotations

import array
import collections
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bpy

from aiobpy.data import blocks, problems, shrinking, thumbnailer

FORMATS: Final = {"jpeg": 'JPEG', "png": 'PNG', "webp": 'WEBP'}
LARGEST: Final = 1024
_KEPT: Final = 256
_CHANNELS: Final = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is sent.

    Attributes:
        tag: Another one if the picture may be another; an ETag's text.
        content_type: As in `image/webp`.
        data: None if the client has it.
    """

    tag: str
    content_type: str
    data: bytes | None


async def thumbnail(
    name: str, library: str | None = None, width: int = 256, fmt: str = "webp", known: str = ""
) -> Picture:
    """Return a small picture of an image, kept for as long as that does not change.

    Args:
        name: The image's.
        library: That it is linked from.
        width: Pixels of its longer side, 16 to 1024; an image that is smaller is not enlarged.
        fmt: `webp`, `png` or `jpeg`.
        known: The tag of the picture that the client has.

    Raises:
        Problem: 400, an argument makes no sense; 404, there is no such image; 409, there is nothing
            to see.
    """
    if fmt not in FORMATS:
        raise problems.malformed(f"`fmt` is webp, png or jpeg, not {fmt!r}")
    if not 16 <= width <= LARGEST:
        raise problems.malformed(f"`w` is from 16 to {LARGEST}, not {width}")
    image = blocks.find(blocks.kind_of("images"), name, library)
    content_type = f"image/{fmt}"
    state = _state(image)
    if state is None:
        data = _made_here(image, width, FORMATS[fmt])
        tag = _digest(data)
        return Picture(tag, content_type, None if tag == known else data)
    tag = _digest(f"{state} {width} {fmt}".encode())
    if tag == known:
        return Picture(tag, content_type, None)
    if tag not in _pictures:
        _pictures[tag] = await _made_elsewhere(image, width, FORMATS[fmt])
    _pictures.move_to_end(tag)
    while len(_pictures) > _KEPT:
        _pictures.popitem(last=False)
    return Picture(tag, content_type, _pictures.get(tag))


def _state(image: Any) -> str | None:
    """Return what tells whether an image has changed; None if that can only be seen."""
    if image.is_dirty or image.type == 'RENDER_RESULT' or image.source == 'VIEWER':
        return None
    facts: list[Any] = [image.session_uid, image.source, image.filepath]
    facts += [image.colorspace_settings.name, image.alpha_mode]
    if image.source == 'GENERATED':
        facts += [getattr(image, made) for made in ("generated_width", "generated_height")]
        facts += [image.generated_type, *image.generated_color]
    elif image.packed_file is not None:
        facts.append(image.packed_file.size)
    else:
        try:
            found = os.stat(_path_of(image))
        except OSError:
            msg = f"there is nothing to see of {image.name!r}: its file is missing"
            raise problems.conflict(msg, "GET /api/v1/files tells which are") from None
        facts += [found.st_mtime_ns, found.st_size]
    return repr(facts)


def _path_of(image: Any) -> str:
    path = bpy.path.abspath(image.filepath, library=image.library)
    return str(path.replace("<UDIM>", "1001").replace("<UVTILE>", "u1_v1"))


async def _made_elsewhere(image: Any, width: int, file_format: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "small"
        order = _order(image, Path(folder))
        order.update(width=width, file_format=file_format, target=str(target))
        name, library = image.name, blocks.library_of(image)
        del image
        try:
            await thumbnailer.make(order)
        except (OSError, NotImplementedError):
            found = blocks.find(blocks.kind_of("images"), name, library)
            return _made_here(found, width, file_format)
        return target.read_bytes()


def _order(image: Any, folder: Path) -> dict[str, Any]:
    """Return what another Blender has to know of an image."""
    order: dict[str, Any] = {"colours": image.colorspace_settings.name, "source": None}
    if image.source == 'GENERATED':
        order["size"] = [image.generated_width, image.generated_height]
        order["is_float"] = image.use_generated_float
        order["made"] = {
            "generated_type": image.generated_type,
            "generated_color": list(image.generated_color),
        }
    elif image.packed_file is not None:
        source = folder / f"packed{Path(image.filepath).suffix}"
        source.write_bytes(image.packed_file.data)
        order["source"] = str(source)
    else:
        order["source"] = _path_of(image)
    return order


def _made_here(image: Any, width: int, file_format: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        small = None
        try:
            small = _copied(image, Path(folder))
            target = Path(folder) / "small"
            shrinking.shrink(small, width, file_format, str(target))
            return target.read_bytes()
        except RuntimeError as error:
            msg = f"there is nothing to see of {image.name!r}"
            raise problems.refused_by_blender(msg, error) from None
        finally:
            if small is not None:
                bpy.data.images.remove(small)


def _copied(image: Any, folder: Path) -> Any:
    """Return a copy that can be shrunk: of what is seen, not of what the file has."""
    if image.type == 'RENDER_RESULT' or image.source == 'VIEWER':
        path = folder / "whole.png"
        image.save_render(str(path))
        if not path.exists():
            raise RuntimeError(f"Blender cannot write {image.name!r}")
        return bpy.data.images.load(str(path))
    return _with_its_pixels(image) if image.is_dirty else image.copy()


def _with_its_pixels(image: Any) -> Any:
    """Return a copy of what nobody has saved: Blender's own copies begin from the file."""
    if image.channels != _CHANNELS:
        raise RuntimeError(f"it has {image.channels} channels, and changes that are not saved")
    pixels = array.array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(pixels)
    made = bpy.data.images.new("small", *image.size, alpha=True, float_buffer=image.is_float)
    made.colorspace_settings.name = image.colorspace_settings.name
    made.pixels.foreach_set(pixels)
    return made


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


_pictures: collections.OrderedDict[str, bytes] = collections.OrderedDict()
