"""Values that are to be the same in every Blender."""

from __future__ import annotations

import ast
from typing import Any

_recorded: dict[str, str] = {}


def compare(name: str, value: Any) -> None:
    """Record a value of this test, which fails when another Blender has recorded another one.

    Args:
        name: What it is; each name once a test.
        value: A plain value, as in a number, a text, or lists, tuples, sets and dictionaries of
            these. Round what depends on the processor.

    Raises:
        TypeError: The value is not plain.
        ValueError: The name was recorded before.
    """
    text = repr(value)
    try:
        is_plain = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        is_plain = False
    if not is_plain:
        msg = (
            f"compare({name!r}, …) takes a plain value and got {type(value).__name__}: {text}; "
            "turn it into numbers, texts, lists or dictionaries first"
        )
        raise TypeError(msg)
    if name in _recorded:
        msg = f"compare({name!r}, …) was called before in this test; give each value its own name"
        raise ValueError(msg)
    _recorded[name] = text


def take_recorded() -> dict[str, str]:
    """Return what has been recorded, as it is written in Python, and forget it."""
    taken = dict(_recorded)
    _recorded.clear()
    return taken
