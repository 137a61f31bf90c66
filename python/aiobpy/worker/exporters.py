"""The open scene as glTF, USD or FBX: one file each, its pictures inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.worker import problems

if TYPE_CHECKING:
    from pathlib import Path


def export(
    path: Path, kind: str, *, collection: str, animation: bool, apply_modifiers: bool
) -> None:
    """Write the open scene.

    Args:
        path: Where to, with the ending that the kind has.
        kind: `glb`, `usdz`, `usdc` or `fbx`.
        collection: The only one to write; all of the scene if empty.
        animation: Whether what moves still does.
        apply_modifiers: Whether objects become what their modifiers make of them.

    Raises:
        JobError: There is no such collection, or this Blender cannot.
    """
    if collection and collection not in bpy.data.collections:
        error = ValueError(f"the scene has no collection {collection!r}")
        raise problems.parameter_unfit("builtin/convert", error, "collection")
    operator, options = _OPERATORS[kind](animation, apply_modifiers)
    try:
        known = operator.get_rna_type().properties.keys()
    except (AttributeError, KeyError, RuntimeError):
        raise problems.exporter_missing(kind) from None
    if collection:
        if "collection" not in known:
            raise problems.exporter_missing(f"{kind} of a collection")
        options["collection"] = collection
    try:
        operator(
            filepath=str(path), **{name: value for name, value in options.items() if name in known}
        )
    except RuntimeError as error:
        raise problems.render_failed(error) from None


def _gltf(animation: bool, apply_modifiers: bool) -> tuple[Any, dict[str, Any]]:
    options = {
        "export_format": 'GLB',
        "export_animations": animation,
        "export_apply": apply_modifiers,
        "export_cameras": True,
        "export_lights": True,
    }
    return bpy.ops.export_scene.gltf, options


def _usd(animation: bool, _apply_modifiers: bool) -> tuple[Any, dict[str, Any]]:
    # USD always takes what modifiers make.
    options = {
        "export_animation": animation,
        "evaluation_mode": 'RENDER',
        "relative_paths": True,
        "overwrite_textures": True,
        "export_textures_mode": 'NEW',
    }
    return bpy.ops.wm.usd_export, options


def _fbx(animation: bool, apply_modifiers: bool) -> tuple[Any, dict[str, Any]]:
    options = {
        "path_mode": 'COPY',
        "embed_textures": True,
        "bake_anim": animation,
        "use_mesh_modifiers": apply_modifiers,
    }
    return bpy.ops.export_scene.fbx, options


_OPERATORS = {"glb": _gltf, "usdz": _usd, "usdc": _usd, "fbx": _fbx}
