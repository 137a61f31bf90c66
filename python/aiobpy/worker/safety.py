"""What a .blend could do by itself beside running scripts: write files, and read any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def tame(readable: Sequence[Path] | None) -> None:
    """Let the open scene write no files, and read only where it may.

    Args:
        readable: The folders that it may read in; None: the server's own scene reads anywhere.

    Raises:
        JobError: It reads a file elsewhere, and cannot be made not to.
    """
    for tree in _compositor_trees():
        for node in [node for node in tree.nodes if node.bl_idname == 'CompositorNodeOutputFile']:
            tree.nodes.remove(node)
    if readable is not None:
        _read_only_in([folder.resolve() for folder in readable])


def _compositor_trees() -> Iterator[Any]:
    for scene in bpy.data.scenes:
        # Since Blender 5.0 they are node groups like all others.
        tree = getattr(scene, "node_tree", None)
        if tree is not None:
            yield tree
    yield from (tree for tree in bpy.data.node_groups if tree.type == 'COMPOSITING')


def _read_only_in(folders: Sequence[Path]) -> None:
    refused = []
    for block, paths in bpy.data.file_path_map(include_libraries=True).items():
        outside = [path for path in map(_absolute, paths) if not _is_in(path, folders)]
        # What is not there tells nothing, and every second scene has such a path.
        if not (outside := [path for path in outside if path.exists()]):
            continue
        if not isinstance(block, bpy.types.Library) and hasattr(block, "filepath"):
            block.filepath = ""
        else:
            refused += [f"{path}" for path in outside]
    if refused:
        raise problems.scene_outside(sorted(refused))


def _absolute(path: str) -> Path:
    return Path(bpy.path.abspath(path)).resolve()


def _is_in(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
