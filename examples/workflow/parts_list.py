"""The list of parts that the importer reads, and its meshes. Knows nothing of Blender.

```json
{"parts": [{"name": "Bolt", "mesh": "bolt.obj", "sha256": "…", "places": [[0, 0, 0], [1, 0, 0]]}]}
```
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from collections.abc import Iterable

Place = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """One thing, in many places."""

    name: str
    url: str
    """Where its mesh is: a file in the format OBJ."""
    sha256: str | None
    places: tuple[Place, ...]


def read(data: bytes, base: str) -> list[Part]:
    """Return the parts of a list.

    Args:
        data: What is in the file.
        base: The address that a `mesh` without one of its own is relative to; the list may have
            another, as `base`.

    Raises:
        ValueError: This is no list of parts; the text says what is wrong where.
    """
    try:
        content = json.loads(data)
        base = content.get("base", base)
        parts = [_part(given, base) for given in content["parts"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"this is no list of parts: {_reason(error)}"
        raise ValueError(msg) from error
    names = [part.name for part in parts]
    if twice := {name for name in names if names.count(name) > 1}:
        msg = f"parts are listed twice: {', '.join(sorted(twice))}"
        raise ValueError(msg)
    return parts


def path_of(url: str) -> Path:
    """Return the path of a `file:` address."""
    return Path(url2pathname(urlsplit(url).path))


class Mesh:
    """Vertices and faces, read line by line."""

    def __init__(self) -> None:
        self.vertices: list[Place] = []
        self.faces: list[list[int]] = []

    def read(self, lines: Iterable[bytes]) -> None:
        """Read some more lines of a file in the format OBJ.

        Raises:
            ValueError: One of them is not.
        """
        for line in lines:
            kind, *words = line.split() or [b"#"]
            if kind == b"v":
                x, y, z = map(float, words[:3])
                self.vertices.append((x, y, z))
            elif kind == b"f":
                corners = [int(word.partition(b"/")[0]) for word in words]
                # They are counted from 1, or backwards from the last one.
                count = len(self.vertices)
                self.faces.append([n - 1 if n > 0 else count + n for n in corners])
                if not all(0 <= corner < count for corner in self.faces[-1]):
                    msg = (
                        f"a face has a corner that is not there: {line.decode('ascii', 'replace')}"
                    )
                    raise ValueError(msg)


def _part(given: dict[str, Any], base: str) -> Part:
    places = []
    for x, y, z in given["places"]:
        places.append((float(x), float(y), float(z)))
    url = urljoin(base, str(given["mesh"]))
    return Part(str(given["name"]), url, given.get("sha256"), tuple(places))


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
