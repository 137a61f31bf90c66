"""What is in the open .blend, as plain values: its data-blocks, and the files that it misses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

_WINDOWS = {"window_managers", "workspaces", "screens", "brushes", "palettes", "paint_curves"}
"""What belongs to the interface."""


def of_open_file(*, with_unused: bool) -> dict[str, Any]:
    """Return what is in the open file.

    Args:
        with_unused: Whether data-blocks that nothing uses are listed, too.
    """
    blocks = [
        _described(kind, block)
        for kind, block in _blocks()
        if with_unused or block.users or block.asset_data is not None
    ]
    files = _files()
    return {
        "blender_version": ".".join(str(part) for part in bpy.data.version),
        "counts": _counts(blocks),
        "scenes": [_scene(scene) for scene in bpy.data.scenes],
        "data_blocks": blocks,
        "files": files,
        "missing": [one for one in files if not one["exists"]],
    }


def _blocks() -> Iterator[tuple[str, Any]]:
    for collection in bpy.data.bl_rna.properties:
        name = collection.identifier
        if collection.type == 'COLLECTION' and name not in _WINDOWS and name != "libraries":
            yield from ((name, block) for block in getattr(bpy.data, name))


def _described(kind: str, block: Any) -> dict[str, Any]:
    described = {"kind": kind, "name": block.name, "users": block.users}
    if block.library is not None:
        described["library"] = block.library.filepath
    if block.asset_data is not None:
        described["asset"] = {
            "description": block.asset_data.description,
            "author": block.asset_data.author,
            "tags": [tag.name for tag in block.asset_data.tags],
        }
    describe = _MORE.get(kind)
    return described if describe is None else {**described, **describe(block)}


def _object(thing: Any) -> dict[str, Any]:
    return {"type": thing.type.lower(), "data": thing.data.name if thing.data else None}


def _mesh(mesh: Any) -> dict[str, Any]:
    return {"vertices": len(mesh.vertices), "faces": len(mesh.polygons)}


def _image(image: Any) -> dict[str, Any]:
    return {
        "width": image.size[0],
        "height": image.size[1],
        "is_packed": image.packed_file is not None,
    }


_MORE = {"objects": _object, "meshes": _mesh, "images": _image}


def _scene(scene: Any) -> dict[str, Any]:
    return {
        "name": scene.name,
        "engine": scene.render.engine,
        "frames": [scene.frame_start, scene.frame_end],
        "camera": scene.camera.name if scene.camera else None,
        "cameras": sorted(thing.name for thing in scene.objects if thing.type == 'CAMERA'),
        "objects": len(scene.objects),
    }


def _files() -> list[dict[str, Any]]:
    """The files outside that it reads, and which of them are not there."""
    found = []
    for block, paths in bpy.data.file_path_map(include_libraries=True).items():
        if getattr(block, "packed_file", None) is not None:
            continue
        for path in sorted(filter(None, paths)):
            exists = Path(bpy.path.abspath(path, library=block.library)).exists()
            found.append(
                {"of": block.name, "kind": block.id_type.lower(), "path": path, "exists": exists}
            )
    return sorted(found, key=lambda one: (one["kind"], one["of"], one["path"]))


def _counts(blocks: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for block in blocks:
        counts[block["kind"]] = counts.get(block["kind"], 0) + 1
    return counts
