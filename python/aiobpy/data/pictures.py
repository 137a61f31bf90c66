"""Small pictures of images, as files of the web.

Blender reads, scales and writes pictures on the main thread alone, so each is made once, in one
go, and kept for as long as the image does not change.
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

from aiobpy.data import problems

FORMATS: Final = {"jpeg": 'JPEG', "png": 'PNG', "webp": 'WEBP'}
LARGEST: Final = 1024
_KEPT: Final = 256
_QUALITY: Final = 85
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


def thumbnail(image: Any, width: int = 256, fmt: str = "webp", known: str = "") -> Picture:
    """Return a small picture of an image.

    Args:
        image: A data-block.
        width: Pixels of its longer side, 16 to 1024; an image that is smaller is not enlarged.
        fmt: `webp`, `png` or `jpeg`.
        known: The tag of the picture that the client has.

    Raises:
        Problem: 400, an argument makes no sense; 409, there is nothing to see.
    """
    if fmt not in FORMATS:
        raise problems.malformed(f"`fmt` is webp, png or jpeg, not {fmt!r}")
    if not 16 <= width <= LARGEST:
        raise problems.malformed(f"`w` is from 16 to {LARGEST}, not {width}")
    content_type = f"image/{fmt}"
    state = _state(image)
    tag = None if state is None else _digest(f"{state} {width} {fmt}".encode())
    if tag is not None and tag == known:
        return Picture(tag, content_type, None)
    if tag is not None and tag in _pictures:
        _pictures.move_to_end(tag)
        return Picture(tag, content_type, _pictures[tag])
    data = _made(image, width, FORMATS[fmt])
    if tag is None:
        tag = _digest(data)
    else:
        _pictures[tag] = data
        while len(_pictures) > _KEPT:
            _pictures.popitem(last=False)
    return Picture(tag, content_type, None if tag == known else data)


def _state(image: Any) -> str | None:
    """Return what tells whether an image has changed; None if that can only be seen."""
    if image.is_dirty or image.type == 'RENDER_RESULT' or image.source == 'VIEWER':
        return None
    facts: list[Any] = [image.session_uid, image.source, image.filepath]
    facts += [image.colorspace_settings.name, image.alpha_mode]
    if image.source == 'GENERATED':
        facts += [image.generated_type, *image.generated_color, image.generated_width]
        facts += [image.generated_height]
    elif image.packed_file is not None:
        facts.append(image.packed_file.size)
    else:
        try:
            found = os.stat(bpy.path.abspath(image.filepath, library=image.library))
        except OSError:
            return None
        facts += [found.st_mtime_ns, found.st_size]
    return repr(facts)


def _made(image: Any, width: int, file_format: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        small = None
        try:
            small = _copied(image, Path(folder))
            _shrink(small, width)
            small.file_format = file_format
            path = Path(folder) / "small"
            small.save(filepath=str(path), quality=_QUALITY)
            return path.read_bytes()
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
        return _loaded(path, image)
    if image.is_dirty:
        return _with_its_pixels(image)
    return image.copy()


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


def _loaded(path: Path, image: Any) -> Any:
    if not path.exists():
        raise RuntimeError(f"Blender cannot write {image.name!r}")
    return bpy.data.images.load(str(path))


def _shrink(image: Any, width: int) -> None:
    longer = max(image.size)
    if longer == 0:
        raise RuntimeError("it has no pixels, or its file is missing")
    if longer > width:
        image.scale(*(max(1, round(side * width / longer)) for side in image.size))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


_pictures: collections.OrderedDict[str, bytes] = collections.OrderedDict()
