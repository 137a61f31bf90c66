"""Where things are built that are not in the scene yet.

Between two frames anything may happen to the file, so all is known by its name, and looked up.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .parts_list import Mesh, Place


class Workshop:
    """Things that are in no collection. What was not delivered is thrown away at the end."""

    def __init__(self) -> None:
        self._scene = bpy.context.scene.name
        self._benches: list[Bench] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for bench in self._benches:
            bench.clear()

    def begin(self, name: str, mesh: Mesh) -> Bench:
        """Begin with a part: it will be a collection of that name."""
        bench = Bench(name, mesh)
        self._benches.append(bench)
        return bench

    def deliver(self, replaced: Iterable[str]) -> None:
        """Bring all into the scene, in the place of collections that are there.

        Raises:
            RuntimeError: Something of it has gone meanwhile; then nothing is brought.
        """
        scene = _found(bpy.data.scenes, self._scene)
        finished = [(bench, bench.things()) for bench in self._benches]
        for name in replaced:
            if name in bpy.data.collections:
                remove(bpy.data.collections[name])
        for bench, things in finished:
            collection = bpy.data.collections.new(bench.name)
            for thing in things:
                collection.objects.link(thing)
            collection.objects.foreach_set("location", [*chain.from_iterable(bench.places)])
            scene.collection.children.link(collection)
        self._benches.clear()


class Bench:
    """A part that is being built.

    Its objects are linked and moved when all are there: after a frame with such changes Blender has
    much to update. Objects that are only made cost it nothing.

    Args:
        name: As its collection will be called.
        mesh: Its shape.

    Attributes:
        places: Of its objects.
    """

    def __init__(self, name: str, mesh: Mesh) -> None:
        self.name = name
        self.places: list[Place] = []
        self._objects: list[str] = []
        shape = bpy.data.meshes.new(name)
        shape.from_pydata(mesh.vertices, [], mesh.faces)
        self._mesh = shape.name

    def put(self, place: Place) -> None:
        """Put one more there.

        Raises:
            RuntimeError: What was begun has gone meanwhile.
        """
        # Names of one's own: to find a free one takes Blender longer than all the rest.
        name = f"{self.name} {len(self._objects) + 1:04}"
        thing = bpy.data.objects.new(name, _found(bpy.data.meshes, self._mesh))
        self.places.append(place)
        self._objects.append(thing.name)

    def things(self) -> list[bpy.types.Object]:
        """Return what was put.

        Raises:
            RuntimeError: Something of it has gone meanwhile.
        """
        there = _by_name()
        return [_found(there, name) for name in self._objects]

    def clear(self) -> None:
        """Throw it away, as far as it is there."""
        there = _by_name()
        bpy.data.batch_remove([there[name] for name in self._objects if name in there])
        if self._mesh in bpy.data.meshes and not bpy.data.meshes[self._mesh].users:
            bpy.data.meshes.remove(bpy.data.meshes[self._mesh])


def remove(collection: bpy.types.Collection) -> None:
    """Remove a collection, its objects, and their meshes if nobody else has them."""
    objects = list(collection.objects)
    meshes = {thing.data for thing in objects if thing.type == 'MESH'}
    bpy.data.batch_remove([*objects, collection])
    bpy.data.batch_remove([mesh for mesh in meshes if not mesh.users])


def _by_name() -> dict[str, bpy.types.Object]:
    # To look up one, Blender goes through all.
    return {thing.name: thing for thing in bpy.data.objects}


def _found(things: Any, name: str) -> Any:
    if name not in things:
        msg = f"{name!r} has gone meanwhile: another file was opened, or somebody undid it"
        raise RuntimeError(msg)
    return things[name]
