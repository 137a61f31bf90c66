"""Data-blocks by name: which kinds there are, and how one is named in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy.data import problems

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kind:
    """One collection of data-blocks.

    Attributes:
        collection: As `bpy.data` and addresses have it: `objects`.
        struct: The name of its RNA type: `Object`.
        summary: The properties that a list shows if it is not told which.
    """

    collection: str
    struct: str
    summary: tuple[str, ...] = ()

    @property
    def one(self) -> str:
        """One of them, for people."""
        return self.struct.lower()


_KINDS: Final = (
    Kind("actions", "Action", ("frame_range", "users")),
    Kind("armatures", "Armature", ("users",)),
    Kind("brushes", "Brush", ("users",)),
    Kind("cache_files", "CacheFile", ("filepath",)),
    Kind("cameras", "Camera", ("type", "lens")),
    Kind("collections", "Collection", ("objects", "children", "hide_viewport", "hide_render")),
    Kind("curves", "Curve", ("dimensions", "users")),
    Kind("fonts", "VectorFont", ("filepath",)),
    Kind("hair_curves", "Curves", ("users",)),
    Kind("images", "Image", ("filepath", "source", "size", "users")),
    Kind("lattices", "Lattice", ("users",)),
    Kind("libraries", "Library", ("filepath",)),
    Kind("lightprobes", "LightProbe", ("type",)),
    Kind("lights", "Light", ("type", "energy", "color")),
    Kind("masks", "Mask", ("users",)),
    Kind("materials", "Material", ("diffuse_color", "users")),
    Kind("meshes", "Mesh", ("vertices", "polygons", "users")),
    Kind("metaballs", "MetaBall", ("users",)),
    Kind("movieclips", "MovieClip", ("filepath",)),
    Kind("node_groups", "NodeTree", ("bl_idname", "users")),
    Kind("objects", "Object", ("type", "data", "parent", "location", "hide_viewport")),
    Kind("palettes", "Palette", ("users",)),
    Kind("particles", "ParticleSettings", ("type", "users")),
    Kind("pointclouds", "PointCloud", ("users",)),
    Kind("scenes", "Scene", ("frame_current", "frame_start", "frame_end", "camera")),
    Kind("screens", "Screen", ("areas",)),
    Kind("shape_keys", "Key", ("key_blocks",)),
    Kind("sounds", "Sound", ("filepath",)),
    Kind("speakers", "Speaker", ("users",)),
    Kind("texts", "Text", ("filepath", "is_modified")),
    Kind("textures", "Texture", ("type", "users")),
    Kind("volumes", "Volume", ("filepath",)),
    Kind("workspaces", "WorkSpace", ("screens",)),
    Kind("worlds", "World", ("users",)),
)


def kinds() -> Mapping[str, Kind]:
    """Return the collections that are served, by name: those that this Blender has."""
    return _by_collection


def kind_of(collection: str) -> Kind:
    """Return a collection's kind.

    Raises:
        Problem: 404, there is none of that name.
    """
    kind = _by_collection.get(collection)
    if kind is None:
        msg = f"there is no collection {collection!r}"
        raise problems.unknown(msg, collection, _by_collection)
    return kind


def kind_of_struct(struct: Any) -> Kind | None:
    """Return the kind that an RNA type belongs to, as `PointLight` does to lights."""
    while struct is not None:
        if struct.identifier in _by_struct:
            return _by_struct[struct.identifier]
        struct = struct.base
    return None


def all_of(kind: Kind) -> Any:
    """Return the collection itself; not to be kept."""
    return getattr(bpy.data, kind.collection)


def find(kind: Kind, name: str, library: str | None = None) -> Any:
    """Return a data-block; not to be kept across an `await`.

    Args:
        kind: Its kind.
        name: Its name.
        library: The name of the library that it is linked from, as `bpy.data.libraries` has it;
            None for one of the open file.

    Raises:
        Problem: 404, there is none.
    """
    found = look_up(kind, name, library)
    if found is None:
        of = "" if library is None else f" from the library {library!r}"
        msg = f"there is no {kind.one} {name!r}{of}"
        others = [block.name for block in all_of(kind) if library_of(block) == library]
        raise problems.unknown(msg, name, others)
    return found


def look_up(kind: Kind, name: str, library: str | None = None) -> Any:
    """Return a data-block, or None."""
    if not (name.isascii() or _can_be_said(name)):
        return None
    collection = all_of(kind)
    if library is None:
        return collection.get((name, None))
    holder = bpy.data.libraries.get(library)
    if holder is None:
        return None
    found = collection.get((name, holder.filepath))
    if found is not None:
        return found
    matching = (block for block in collection if block.name == name)
    return next((block for block in matching if block.library == holder), None)


def library_of(block: Any) -> str | None:
    """Return the name of the library that a data-block is linked from."""
    library = block.library
    return None if library is None else str(library.name)


def is_served(block: Any) -> bool:
    """Return whether a data-block can be found by its name: those inside of others cannot."""
    return not block.is_embedded_data and kind_of_struct(block.bl_rna) is not None


def reference(block: Any) -> dict[str, Any]:
    """Return how JSON names a data-block."""
    kind = kind_of_struct(block.bl_rna)
    return {
        "type": kind.collection if kind else block.bl_rna.identifier,
        "name": block.name,
        "library": library_of(block),
    }


def why_not_to_change(block: Any) -> str | None:
    """Return why nothing of a data-block can be changed; None if it can."""
    if block.library is None:
        return None
    return (
        f"{block.name!r} is linked from the library {library_of(block)!r}; change it there, or make"
        " it local or a library override"
    )


def _can_be_said(name: str) -> bool:
    """Return whether a text is one: JSON may have half of a character, which Blender chokes on."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


_by_collection: Final = {
    kind.collection: kind for kind in _KINDS if hasattr(bpy.data, kind.collection)
}
_by_struct: Final = {kind.struct: kind for kind in _by_collection.values()}
