"""A picture as a file's bytes: what handlers and methods take and return."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

_BEGINNINGS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"v/1\x01": "image/x-exr",
    b"#?RADIANCE": "image/vnd.radiance",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
_WEBP_MARK: Final = slice(8, 12)


@dataclass(frozen=True)
class Image:
    """An encoded picture, as a PNG, JPEG or WebP file holds it.

    JSON has it as Base64. Where it is all that a handler answers, it is sent as it is.

    Raises:
        ValueError: `data` is the beginning of no picture that we know.
    """

    data: bytes

    def __post_init__(self) -> None:
        if _kind_of(self.data) is None:
            msg = "this is no picture; PNG, JPEG, WebP, GIF, EXR, HDR, BMP and TIFF are known"
            raise ValueError(msg)

    @property
    def content_type(self) -> str:
        """As in `image/png`."""
        return _kind_of(self.data) or "application/octet-stream"

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return how JSON has it."""
        return {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}

    @classmethod
    def from_json(cls, text: str) -> Image:
        """Return the picture of a text in Base64.

        Raises:
            ValueError: It is not Base64, or no picture.
        """
        return cls(base64.b64decode(text, validate=True))

    def to_json(self) -> str:
        """Return it in Base64."""
        return base64.b64encode(self.data).decode()


def _kind_of(data: bytes) -> str | None:
    """Return what the first bytes say that it is; None for no picture."""
    if data.startswith(b"RIFF") and data[_WEBP_MARK] == b"WEBP":
        return "image/webp"
    return next((kind for begins, kind in _BEGINNINGS.items() if data.startswith(begins)), None)
