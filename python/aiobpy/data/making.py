"""New data-blocks, and the end of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy.data import blocks, bounds, changing, problems
from aiobpy.data.rights import EVERYTHING, Rights

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy.data.blocks import Kind

_DATA_OF_OBJECTS: Final = {
    'ARMATURE': "armatures",
    'CAMERA': "cameras",
    'CURVE': "curves",
    'FONT': "curves",
    'LATTICE': "lattices",
    'LIGHT': "lights",
    'MESH': "meshes",
    'META': "metaballs",
    'SPEAKER': "speakers",
    'SURFACE': "curves",
}
_LARGEST_IMAGE: Final = 16384


def make(kind: Kind, body: dict[str, Any], rights: Rights = EVERYTHING) -> Any:
    """Make a data-block and return it; not to be kept across an `await`.

    Args:
        kind: What is made.
        body: Its `name`, what only this kind takes, and any members that a merge patch could have.
            An object takes `type` and `data` (made if left out), and `collection`, which it is put
            into; a collection takes `parent`; a light, a curve, a texture and a node group take
            `type`; an image takes `width`, `height`, `alpha` and `float`, or `filepath` to be
            loaded; a text takes `content`.
        rights: Of whoever asks.

    Raises:
        Problem: 405, none can be made; 409, the name is taken; 422, a value does not fit.
    """
    maker = _MAKERS.get(kind.collection)
    if maker is None:
        raise problems.conflict(
            f"no {kind.one} can be made by itself", f"these can: {', '.join(sorted(_MAKERS))}"
        )
    given = dict(body)
    name = _name(kind, given)
    before = {block.session_uid for block in blocks.all_of(kind)}
    try:
        made = maker(kind, name, given, rights)
        changing.merge(made, given, rights)
    except BaseException:
        _remove_new(kind, before, has_own_data="data" not in body)
        raise
    changing.update()
    return made


def makeable() -> list[str]:
    """Return the collections that something can be added to."""
    return sorted(_MAKERS)


def remove(kind: Kind, block: Any) -> None:
    """Remove a data-block; what uses it uses none from then on.

    Raises:
        Problem: 409, Blender needs it, or it is linked.
    """
    collection = blocks.all_of(kind)
    if not hasattr(collection, "remove"):
        raise problems.conflict(f"a {kind.one} cannot be removed by itself")
    if why := blocks.why_not_to_change(block):
        raise problems.conflict(why)
    if getattr(block, "is_editmode", False) or getattr(block, "mode", 'OBJECT') == 'EDIT':
        raise problems.conflict(f"{block.name!r} is being edited", "leave the edit mode first")
    name = block.name
    try:
        collection.remove(block)
    except (RuntimeError, ReferenceError) as error:
        raise problems.refused_by_blender(f"{name!r} cannot be removed", error) from None
    changing.update()


def _remove_new(kind: Kind, before: set[int], *, has_own_data: bool) -> None:
    for block in list(blocks.all_of(kind)):
        if block.session_uid not in before:
            data = getattr(block, "data", None) if has_own_data else None
            blocks.all_of(kind).remove(block)
            if data is not None and data.users == 0:
                bpy.data.batch_remove([data])


def _name(kind: Kind, given: dict[str, Any]) -> str:
    name = given.pop("name", None)
    if name is None and kind.collection == "images" and isinstance(given.get("filepath"), str):
        return ""
    if not isinstance(name, str) or not name or "\0" in name:
        raise problems.unfit([("/name", "the name of what is to be made")])
    longest = getattr(bpy.types, kind.struct).bl_rna.properties["name"].length_max
    if longest and len(name.encode()) > longest:
        raise problems.unfit([("/name", f"text of {longest} bytes at most")])
    if blocks.look_up(kind, name) is not None:
        raise problems.conflict(f"there is a {kind.one} {name!r} already", "PATCH changes it")
    return name


def _plain(kind: Kind, name: str, _given: dict[str, Any], _rights: Rights) -> Any:
    return blocks.all_of(kind).new(name)


def _of_type(default: str) -> Callable[[Kind, str, dict[str, Any], Rights], Any]:
    def new(kind: Kind, name: str, given: dict[str, Any], _rights: Rights) -> Any:
        wanted = given.pop("type", default)
        try:
            return blocks.all_of(kind).new(name, wanted)
        except (TypeError, RuntimeError, ValueError) as error:
            raise problems.unfit([("/type", " ".join(str(error).split()))]) from None

    return new


def _object(_kind: Kind, name: str, given: dict[str, Any], _rights: Rights) -> Any:
    wanted, data = given.pop("type", None), given.pop("data", None)
    into = _collection(given, "collection")
    if data is not None:
        found = _data(data)
    elif wanted in (None, 'EMPTY'):
        found = None
    else:
        found = _new_data(str(wanted), name)
    try:
        made = bpy.data.objects.new(name, found)
    except (RuntimeError, TypeError) as error:
        raise problems.unfit([("/data", " ".join(str(error).split()))]) from None
    into.objects.link(made)
    return made


def _data(reference: Any) -> Any:
    """Return what an object shows, by its reference."""
    if not isinstance(reference, dict) or not isinstance(reference.get("name"), str):
        raise problems.unfit([("/data", "{type, name, library}, as in {\"type\": \"meshes\", …}")])
    kind = blocks.kinds().get(str(reference.get("type")))
    if kind is None or kind.collection not in _DATA_OF_OBJECTS.values():
        hint = problems.near(str(reference.get("type")), sorted(set(_DATA_OF_OBJECTS.values())))
        raise problems.unfit([("/data/type", hint)])
    found = blocks.look_up(kind, reference["name"], reference.get("library"))
    if found is None:
        raise problems.unfit([("/data/name", f"there is no {kind.one} {reference['name']!r}")])
    return found


def _new_data(wanted: str, name: str) -> Any:
    if wanted not in _DATA_OF_OBJECTS:
        known = problems.near(wanted, ['EMPTY', *sorted(_DATA_OF_OBJECTS)])
        raise problems.unfit([("/type", f"no object of that type can be made; {known}")])
    collection = getattr(bpy.data, _DATA_OF_OBJECTS[wanted])
    if wanted in {'CURVE', 'FONT', 'SURFACE'}:
        return collection.new(name, wanted)
    return collection.new(name, 'POINT') if wanted == 'LIGHT' else collection.new(name)


def _collection(given: dict[str, Any], member: str) -> Any:
    """Return the collection that something new is put into: the scene's if none is named."""
    name = given.pop(member, None)
    if name is None:
        return bpy.context.scene.collection
    if isinstance(name, dict):
        name = name.get("name")
    found = bpy.data.collections.get((name, None)) if isinstance(name, str) else None
    if found is None:
        known = problems.near(str(name), [other.name for other in bpy.data.collections])
        raise problems.unfit([(f"/{member}", f"there is no such collection; {known}")])
    return found


def _new_collection(_kind: Kind, name: str, given: dict[str, Any], _rights: Rights) -> Any:
    parent = _collection(given, "parent")
    made = bpy.data.collections.new(name)
    parent.children.link(made)
    return made


def _image(_kind: Kind, name: str, given: dict[str, Any], rights: Rights) -> Any:
    if "filepath" in given:
        return _loaded_image(name, given, rights)
    sizes = [given.pop("width", 1024), given.pop("height", 1024)]
    wrong = [
        (f"/{member}", f"a whole number from 1 to {_LARGEST_IMAGE}")
        for member, size in zip(("width", "height"), sizes, strict=True)
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LARGEST_IMAGE
    ]
    flags = {member: given.pop(member, False) for member in ("alpha", "float")}
    wrong += [
        (f"/{member}", "true or false")
        for member, flag in flags.items()
        if flag not in (True, False)
    ]
    if wrong:
        raise problems.unfit(wrong)
    return bpy.data.images.new(
        name, *sizes, alpha=bool(flags["alpha"]), float_buffer=bool(flags["float"])
    )


def _loaded_image(name: str, given: dict[str, Any], rights: Rights) -> Any:
    path = given.pop("filepath")
    if not isinstance(path, str):
        raise problems.unfit([("/filepath", "the path of a file")])
    rights.demand("files", "loading a file")
    real = bounds.check(path)
    if not real.is_file():
        raise problems.unfit([("/filepath", f"there is no file {str(real)!r}")])
    try:
        made = bpy.data.images.load(str(real))
    except RuntimeError as error:
        raise problems.unfit([("/filepath", " ".join(str(error).split()))]) from None
    if name:
        made.name = name
    return made


_MAKERS: Final[dict[str, Callable[[Kind, str, dict[str, Any], Rights], Any]]] = {
    "actions": _plain,
    "armatures": _plain,
    "cameras": _plain,
    "collections": _new_collection,
    "curves": _of_type('CURVE'),
    "images": _image,
    "lattices": _plain,
    "lights": _of_type('POINT'),
    "materials": _plain,
    "meshes": _plain,
    "metaballs": _plain,
    "node_groups": _of_type('ShaderNodeTree'),
    "objects": _object,
    "scenes": _plain,
    "speakers": _plain,
    "texts": _plain,
    "textures": _of_type('CLOUDS'),
    "worlds": _plain,
}
