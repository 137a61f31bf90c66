"""Deforms a mesh by what another Python computes.

python deform.py OTHER_PYTHON [OBJECT]                 where the `bpy` module is
blender -b FILE.blend -P deform.py -- OTHER_PYTHON [OBJECT]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypeAlias

import bpy
import numpy as np

import aiobpy

sys.path.insert(0, str(Path(__file__).parent))
import heavy

Positions: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float32]]
RIPPLES = Path(__file__).with_name("ripples.py")


async def deform(other: heavy.Heavy, name: str, *, height: float = 0.2, waves: float = 2.0) -> None:
    """Have the vertices of an object's mesh lifted by the other Python.

    Raises:
        KeyError: There is no such object any more.
        RuntimeError: The mesh has been changed meanwhile.
    """
    positions = read(name)
    got = await other.call("ripple", {"positions": positions}, height=height, waves=waves)
    write(name, np.asarray(got["positions"]))


def read(name: str) -> Positions:
    """Return the vertices as x, y, z one after another."""
    mesh = bpy.data.objects[name].data
    positions = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", positions)
    return positions


def write(name: str, positions: Positions) -> None:
    """Move the vertices. Found by name again: an undo has made others of them meanwhile."""
    mesh = bpy.data.objects[name].data
    if len(mesh.vertices) * 3 != len(positions):
        msg = f"{name!r} has other vertices than when they were read; deform it again"
        raise RuntimeError(msg)
    mesh.vertices.foreach_set("co", positions)
    mesh.update()


async def main(python: str, name: str) -> None:
    """Deform one object of the open file."""
    async with heavy.started(python, RIPPLES) as other:
        await deform(other, name)


if __name__ == "__main__":
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    aiobpy.run(main(arguments[0], *(arguments[1:] or ["Cube"])))
