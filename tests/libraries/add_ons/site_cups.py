"""An add-on whose site has five decorated routes."""

import asyncio
from dataclasses import dataclass

import bpy

import aiobpy
from aiobpy import web

bl_info = {"name": "Cups", "blender": (4, 2, 0), "category": "Object"}


@dataclass
class Cup:
    """A cup, as clients see it."""

    name: str
    handles: int = 1


site = web.site("cups")


@site.get("/cups")
def cups(prefix: str = "") -> list[Cup]:
    """List the objects whose names begin so."""
    found = [one for one in bpy.data.objects if one.name.startswith(prefix)]
    return [Cup(one.name, one.get("handles", 1)) for one in found]


@site.post("/cups")
def add(cup: Cup) -> Cup:
    """Add one."""
    made = bpy.data.objects.new(cup.name, None)
    made["handles"] = cup.handles
    return Cup(made.name, cup.handles)


@site.patch("/cups/{name}")
def change(name: str, cup: Cup) -> Cup:
    """Give it other handles."""
    one(name)["handles"] = cup.handles
    return cup


@site.delete("/cups/{name}")
def remove(name: str) -> None:
    """Remove one."""
    bpy.data.objects.remove(one(name))


@site.get("/patient")
async def patient() -> str:
    """Wait for longer than anybody asks."""
    await asyncio.sleep(3600)  # under test: a request that is never answered
    return "here"


def one(name: str) -> bpy.types.Object:
    """Return the object of a name."""
    if (found := bpy.data.objects.get(name)) is None:
        raise aiobpy.Problem(f"there is no cup {name!r}", status=404)
    return found


def register() -> None:
    """Nothing: the site comes and goes with the add-on."""


unregister = register
