"""What files the open file needs, where they are, and which are missing; saving and opening."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import jobs, main_loop, roots
from aiobpy.data import blocks, bounds, problems
from aiobpy.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


async def overview() -> dict[str, Any]:
    """Return the open file, the files that it needs, its libraries and what is linked from them.

    Returns:
        `file`: `{path, is_saved, has_changes}`. `files`: `{path, exists, size, used_by, is_packed}`
        each; `used_by` has data-blocks. `libraries`: `{name, path, exists, is_indirect, is_packed,
        linked}` each, where `linked` has `{type, name, library, is_indirect}`. `missing`: the paths
        that do not exist and are not packed.
    """
    needed = _needed()
    files = [
        {"path": path, **_on_disk(path), "used_by": needed[path], "is_packed": False}
        async for path in main_loop.spread(sorted(needed))
    ]
    files += _packed()
    libraries = await _libraries()
    missing = [found["path"] for found in (*files, *libraries) if _is_missing(found)]
    return {
        "file": {
            "path": bpy.data.filepath or None,
            "is_saved": bool(bpy.data.filepath),
            "has_changes": bpy.data.is_dirty,
        },
        "files": files,
        "libraries": libraries,
        "missing": sorted(set(missing)),
    }


def allowed_folders() -> list[str]:
    """Return the folders whose files may be named."""
    return [str(folder) for folder in roots.allowed()]


async def save(path: str | None = None, *, is_copy: bool = False) -> dict[str, Any]:
    """Save the open file, and return `{path, seconds}`.

    Args:
        path: Where to, in an allowed folder; if left out, where it is now.
        is_copy: Whether it stays open under the name that it has.

    Raises:
        Problem: 403, the folder is not allowed; 409, it has no name yet, or Blender cannot write.
    """
    target = None if path is None else _blend(bounds.check(path))
    try:
        saved = await jobs.save(target, copy=is_copy)
    except (jobs.BlendFileError, FileNotFoundError) as error:
        raise problems.conflict(str(error)) from None
    return {"path": str(saved.path), "seconds": saved.seconds}


async def open_file(
    path: str, *, discards_changes: bool = False, load_ui: bool = False
) -> dict[str, Any]:
    """Open another .blend, and return `{path, seconds}`. Scripts in it do not run by themselves.

    Args:
        path: In an allowed folder.
        discards_changes: Whether what is not saved may be lost.
        load_ui: Whether its windows replace those that are open.

    Raises:
        Problem: 403, the folder is not allowed; 404, there is no such file; 409, what is open is
            not saved, a render runs, or Blender cannot read it.
    """
    source = _blend(bounds.check(path))
    if not source.is_file():
        raise Problem(
            f"there is no file {str(source)!r}",
            status=404,
            kind="unknown-file",
            title="No such file",
        )
    if bpy.data.is_dirty and not discards_changes:
        msg = "the open file has changes that are not saved"
        raise problems.conflict(msg, "POST /api/v1/save first, or send `\"discard\": true`")
    try:
        opened = await jobs.open_file(source, load_ui=load_ui, use_scripts=False)
    except (jobs.BlendFileError, FileNotFoundError) as error:
        raise problems.conflict(str(error)) from None
    return {"path": str(opened.path), "seconds": opened.seconds}


def _blend(path: Path) -> Path:
    if path.suffix.lower() != ".blend":
        msg = f"{path.name!r} is no .blend"
        raise problems.malformed(msg, "name a file that ends in .blend")
    return path


def _needed() -> dict[str, list[dict[str, Any]]]:
    """Return the paths of files outside, and the data-blocks that use each."""
    needed: dict[str, list[dict[str, Any]]] = {}
    for block, paths in _paths_by_block():
        if not isinstance(block, bpy.types.Library) and not _is_packed(block):
            for path in paths:
                needed.setdefault(path, []).append(blocks.reference(block))
    if not hasattr(bpy.data, "file_path_map"):
        libraries = {bpy.path.abspath(library.filepath) for library in bpy.data.libraries}
        for path in bpy.utils.blend_paths(absolute=True, packed=False, local=True):
            if path not in libraries:
                needed.setdefault(path, [])
    return needed


def _paths_by_block() -> Iterator[tuple[Any, Iterable[str]]]:
    """Yield data-blocks and the files that they use. Blender tells all of them from 4.4 on."""
    if hasattr(bpy.data, "file_path_map"):
        yield from bpy.data.file_path_map(include_libraries=False).items()
        return
    for kind in blocks.kinds().values():
        if "filepath" in getattr(bpy.types, kind.struct).bl_rna.properties:
            for block in blocks.all_of(kind):
                if block.library is None and block.filepath:
                    yield block, [bpy.path.abspath(block.filepath)]


def _packed() -> list[dict[str, Any]]:
    """Return what lies in the .blend itself."""
    return [
        {
            "path": bpy.path.abspath(block.filepath) if block.filepath else None,
            "exists": None,
            "size": _size_of_packed(block),
            "used_by": [blocks.reference(block)],
            "is_packed": True,
        }
        for collection in (bpy.data.images, bpy.data.sounds, bpy.data.fonts, bpy.data.volumes)
        for block in collection
        if block.library is None and _is_packed(block)
    ]


def _is_packed(block: Any) -> bool:
    return getattr(block, "packed_file", None) is not None


def _size_of_packed(block: Any) -> int:
    several = getattr(block, "packed_files", None)
    if several:
        return sum(one.packed_file.size for one in several)
    return int(block.packed_file.size)


async def _libraries() -> list[dict[str, Any]]:
    linked: dict[str, list[dict[str, Any]]] = {}
    for kind in blocks.kinds().values():
        count = len(blocks.all_of(kind))
        async for start in main_loop.spread(range(0, count, 256)):
            for block in blocks.all_of(kind)[start : start + 256]:
                if (library := blocks.library_of(block)) is not None:
                    facts = {**blocks.reference(block), "is_indirect": block.is_library_indirect}
                    linked.setdefault(library, []).append(facts)
    return [
        {
            "name": library.name,
            "path": path,
            **_on_disk(path),
            "is_indirect": library.parent is not None,
            "is_packed": _is_packed(library),
            "linked": linked.get(library.name, []),
        }
        for library in bpy.data.libraries
        for path in [bpy.path.abspath(library.filepath)]
    ]


def _on_disk(path: str) -> dict[str, Any]:
    """Return whether a file is there, and its bytes; a path may stand for many, as for tiles."""
    found = [path]
    if "<UDIM>" in path or "<UVTILE>" in path:
        pattern = glob.escape(path).replace("<UDIM>", "[0-9]" * 4).replace("<UVTILE>", "u*_v*")
        found = glob.glob(pattern)
    sizes = []
    for one in found:
        try:
            sizes.append(os.stat(one).st_size)
        except OSError:
            return {"exists": False, "size": None}
    return {"exists": bool(sizes), "size": sum(sizes) if sizes else None}


def _is_missing(found: dict[str, Any]) -> bool:
    return not found["is_packed"] and found["exists"] is False
