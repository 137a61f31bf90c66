"""Kinds of parameters that are more than a number or a text: what they name is in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import bpy

from aiobpy.worker.places import INPUT_PATTERN, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class _Named:
    """A data-block that is chosen by its name.

    Args:
        name: As Blender shows it.
    """

    collection: ClassVar[str]
    kind: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return what clients are shown; the names are added where they are known."""
        return {"type": "string", "maxLength": 255, "format": cls.kind}

    @classmethod
    def from_json(cls, name: str) -> _Named:
        """Return the choice.

        Raises:
            ValueError: The scene has none of that name.
        """
        known = sorted(block.name for block in cls._choices())
        if name not in known:
            msg = f"the scene has no {cls.kind} {name!r}; it has: {', '.join(known) or 'none'}"
            raise ValueError(msg)
        return cls(name)

    def to_json(self) -> str:
        """Return the name."""
        return self.name

    @classmethod
    def _choices(cls) -> Iterable[Any]:
        return list(getattr(bpy.data, cls.collection))


class Material(_Named):
    """One of the scene's materials, by its name."""

    collection, kind = "materials", "material"

    @property
    def block(self) -> Any:
        """The `bpy.types.Material`."""
        return bpy.data.materials[self.name]

    def assign_to(self, thing: str, slot: int = 0) -> None:
        """Give an object the material.

        Args:
            thing: The object's name.
            slot: Which of its material slots.
        """
        bpy.data.objects[thing].material_slots[slot].material = self.block


class Camera(_Named):
    """One of the scene's cameras, by its object's name."""

    collection, kind = "objects", "camera"

    @property
    def block(self) -> Any:
        """The `bpy.types.Object`."""
        return bpy.data.objects[self.name]

    def use(self) -> None:
        """Take the picture with it."""
        bpy.context.scene.camera = self.block

    @classmethod
    def _choices(cls) -> Iterable[Any]:
        return [thing for thing in bpy.context.scene.objects if thing.type == 'CAMERA']


class Input:
    """A file that the client has sent, `input:<hash>`.

    Args:
        path: Where it is; its name says nothing of what it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return what clients are shown."""
        return {"type": "string", "pattern": INPUT_PATTERN, "format": "input"}

    @classmethod
    def from_json(cls, name: str) -> Input:
        """Return the file.

        Raises:
            ValueError: There is none of that name.
        """
        return cls(places.input(name))


class Texture(Input):
    """A picture that the client has sent, `input:<hash>`."""

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return what clients are shown."""
        return {**super().json_schema(), "contentMediaType": "image/*"}

    @classmethod
    def from_json(cls, name: str) -> Texture:
        """Return the picture.

        Raises:
            ValueError: There is none of that name, or Blender cannot read it.
        """
        texture = cls(places.input(name))
        if not all(texture.image().size):
            msg = f"{name} is no picture that Blender can read"
            raise ValueError(msg)
        return texture

    def image(self) -> Any:
        """Return it as a `bpy.types.Image`; loaded once a job."""
        return bpy.data.images.load(str(self.path), check_existing=True)

    def put_on(self, material: str, node: str = "Image Texture") -> None:
        """Show it in a material.

        Args:
            material: The material's name.
            node: The name of one of its Image Texture nodes.
        """
        bpy.data.materials[material].node_tree.nodes[node].image = self.image()


class BlendFile(Input):
    """A .blend: one that the client has sent, or a path in a folder that jobs may read."""

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return what clients are shown."""
        return {"type": "string", "maxLength": 4096, "format": "blend"}

    @classmethod
    def from_json(cls, name: str) -> BlendFile:
        """Return the file.

        Raises:
            ValueError: It is not there, or is where jobs may not read.
        """
        return cls(places.readable(name))


def show_parts(shows: Mapping[str, tuple[str, ...]], arguments: Mapping[str, Any]) -> None:
    """Show and hide the parts of the scene that parameters switch.

    Raises:
        ValueError: The scene has no object and no collection of a name.
    """
    for parameter, names in shows.items():
        for name in names:
            part = bpy.data.objects.get(name) or bpy.data.collections.get(name)
            if part is None:
                msg = f"the scene has no object and no collection {name!r} to show or hide"
                raise ValueError(msg)
            if part.hide_render is bool(arguments[parameter]):
                part.hide_render = not arguments[parameter]
