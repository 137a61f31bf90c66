"""The open scene as it was when it was loaded, so that nothing leaks from one job into the next.

All that can be set of all data-blocks is kept: values, what points at what, node trees, modifiers,
custom properties; of meshes a checksum of where the vertices are. After a job, what differs is set
back, and data-blocks that are new are removed. What cannot be set back makes the scene be loaded
anew: a vertex that has moved, a node that is new, a data-block that is gone.
"""

from __future__ import annotations

import array
import zlib
from typing import Any

import bpy

from aiobpy.worker.properties import Saved

_COLLECTIONS = (
    "scenes",
    "worlds",
    "collections",
    "objects",
    "meshes",
    "curves",
    "hair_curves",
    "metaballs",
    "lattices",
    "volumes",
    "pointclouds",
    "armatures",
    "lights",
    "cameras",
    "speakers",
    "lightprobes",
    "materials",
    "textures",
    "node_groups",
    "images",
    "movieclips",
    "masks",
    "linestyles",
    "shape_keys",
    "actions",
    "particles",
    "grease_pencils",
    "grease_pencils_v3",
    "fonts",
    "sounds",
    "cache_files",
)
"""What a picture is made of; not what belongs to a window."""
_MADE_BY_RENDERING = {'RENDER_RESULT', 'COMPOSITING'}


class IrreversibleError(Exception):
    """Something has changed that cannot be set back."""


class State:
    """The open scene as it is now."""

    def __init__(self) -> None:
        self._saved: dict[str, dict[str, Saved]] = {}
        self._checksums: dict[str, int] = {}
        for kind, blocks in _blocks().items():
            self._saved[kind] = {name: Saved.of(block) for name, block in blocks.items()}
        self._checksums = _checksums()

    def restore(self) -> None:
        """Make the open scene what it was.

        Raises:
            IrreversibleError: That cannot be done.
        """
        found = _blocks()
        added = []
        for kind, saved in self._saved.items():
            if gone := saved.keys() - found[kind].keys():
                msg = f"{min(gone)} is no more"
                raise IrreversibleError(msg)
            added += [found[kind][name] for name in found[kind].keys() - saved.keys()]
        if _checksums(self._checksums) != self._checksums:
            msg = "vertices have moved"
            raise IrreversibleError(msg)
        try:
            for kind, saved in self._saved.items():
                for name, values in saved.items():
                    values.restore(found[kind][name])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise IrreversibleError(str(error)) from error
        if added:
            bpy.data.batch_remove(added)


def _blocks() -> dict[str, dict[str, Any]]:
    """All data-blocks of interest, by their kind and name; libraries' are read-only anyway."""
    found: dict[str, dict[str, Any]] = {}
    for kind in _COLLECTIONS:
        blocks = getattr(bpy.data, kind, ())
        found[kind] = {
            block.name_full: block
            for block in blocks
            if not (kind == "images" and block.type in _MADE_BY_RENDERING)
        }
    return found


def _checksums(known: dict[str, int] | None = None) -> dict[str, int]:
    """Of where each mesh's vertices are; of those that are known, if any are."""
    return {
        mesh.name_full: _checksum(mesh)
        for mesh in bpy.data.meshes
        if known is None or mesh.name_full in known
    }


def _checksum(mesh: Any) -> int:
    position = mesh.attributes.get("position")
    if position is None or not len(position.data):
        return 0
    values = array.array("f", bytes(12 * len(position.data)))
    position.data.foreach_get("vector", values)
    return zlib.crc32(values)
