"""A copy of a scene in which modifiers that no job changes are applied.

Blender evaluates a scene twice when it is loaded and rendered: for the viewport and for the render.
What a modifier makes of a mesh that never changes is computed anew each time; an exact boolean may
take longer than the picture.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import problems

if TYPE_CHECKING:
    from collections.abc import Sequence

_AS_RENDERED = (
    ("show_viewport", "show_render"),
    ("levels", "render_levels"),
    ("viewport_resolution", "resolution"),
)
"""What a modifier does in the viewport, and what it does in the render."""


def save_copy(path: Path, names: Sequence[str]) -> Path:
    """Apply objects' modifiers in the open scene, and save that among the worker's own files.

    Args:
        path: Where the open scene was read.
        names: Objects, each with a mesh of its own making.

    Returns:
        The copy; the open scene is half way to it, and has to be loaded anew.

    Raises:
        JobError: There is no such object, it is not a mesh, or the copy cannot be written.
    """
    things = [_mesh_object(path, name) for name in names]
    for modifier in (modifier for thing in things for modifier in thing.modifiers):
        for in_viewport, in_render in _AS_RENDERED:
            if hasattr(modifier, in_viewport) and hasattr(modifier, in_render):
                setattr(modifier, in_viewport, getattr(modifier, in_render))
    depsgraph = bpy.context.evaluated_depsgraph_get()
    made = [
        bpy.data.meshes.new_from_object(
            thing.evaluated_get(depsgraph), preserve_all_data_layers=True, depsgraph=depsgraph
        )
        for thing in things
    ]
    for thing, mesh in zip(things, made, strict=True):
        thing.modifiers.clear()
        thing.data = mesh
    copy = Path(tempfile.mkdtemp(prefix="applied-")) / path.name
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, compress=False)
    except RuntimeError as error:
        raise problems.copy_unwritten(copy, error) from None
    return copy


def _mesh_object(path: Path, name: str) -> Any:
    thing = bpy.context.scene.objects.get(name)
    if thing is None:
        known = sorted(it.name for it in bpy.context.scene.objects if len(it.modifiers))
        why = f"there is no object {name!r}; those with modifiers are: {', '.join(known) or 'none'}"
        raise problems.modifiers_unapplied(path, why)
    if thing.type != 'MESH':
        why = f"the object {name!r} is a {thing.type.lower()}, and only meshes can be applied to"
        raise problems.modifiers_unapplied(path, why)
    if thing.library is not None or thing.override_library is not None:
        why = f"the object {name!r} is another file's; apply its modifiers there"
        raise problems.modifiers_unapplied(path, why)
    return thing
