"""The text of JSON, of more than `json` alone can say."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import json
import os
from typing import Any


def dumps(value: Any) -> str:
    """Return the text of what JSON can say of a value: also of dataclasses, vectors and arrays.

    Raises:
        TypeError: JSON can say nothing of it.
        ValueError: It has a number that is none, or contains itself.
    """
    return json.dumps(
        value, allow_nan=False, default=plain, ensure_ascii=False, separators=(",", ":")
    )


def plain(value: Any) -> Any:
    """Return what `json` can say of a value that is none of JSON's own, one level deep.

    Raises:
        TypeError: There is nothing to say.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "to_json"):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, set | frozenset):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__len__") and hasattr(value, "__getitem__") and not hasattr(value, "keys"):
        return list(value)
    msg = f"{type(value).__name__} is nothing that JSON can say"
    raise TypeError(msg)
