"""Messages between two Pythons: some JSON and some arrays of numbers. Needs nothing but Python.

A message is the length of its head (4 bytes, big-endian), the head, and the arrays' bytes one
after another. The head is a JSON object; its member `arrays` has a `[name, format, shape]` for each
array, formats as in the module `struct`: `f` is a C float, `i` an int.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Head = dict[str, Any]
    Arrays = dict[str, memoryview]

LENGTH = struct.Struct("!I")
LONGEST_HEAD = 1 << 24
FORMATS = frozenset("bBhHiIqQfd?")


def pack(head: Head, arrays: dict[str, Any]) -> Iterator[bytes | memoryview]:
    """Yield a message in pieces. An array is anything with a contiguous buffer, as numpy's have."""
    views = {name: memoryview(array) for name, array in arrays.items()}
    kinds = [[name, view.format, view.shape] for name, view in views.items()]
    text = json.dumps({**head, "arrays": kinds}).encode()
    yield LENGTH.pack(len(text)) + text
    for view in views.values():
        # Empty ones have no bytes, and cannot be cast.
        if view.nbytes:
            yield view.cast("B")


def unpack_head(text: bytes) -> tuple[Head, list[int]]:
    """Return a head, and how many bytes each of its arrays has.

    Raises:
        ValueError: It is no head.
    """
    head = json.loads(text)
    sizes = []
    for _name, kind, shape in head["arrays"]:
        if kind not in FORMATS:
            msg = f"an array of {kind!r} cannot be sent"
            raise ValueError(msg)
        sizes.append(struct.calcsize(kind) * math.prod(shape))
    return head, sizes


def unpack_arrays(head: Head, contents: list[bytes]) -> Arrays:
    """Return the arrays by name, in their shapes, without a copy; `numpy.asarray` takes them."""
    return {
        name: memoryview(content).cast(kind, shape) if content else memoryview(content)
        for (name, kind, shape), content in zip(head.pop("arrays"), contents, strict=True)
    }
