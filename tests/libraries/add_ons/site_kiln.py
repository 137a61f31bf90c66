"""An add-on whose site is a FastAPI application."""

from typing import Annotated

import bpy
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from aiobpy import web

bl_info = {"name": "Kiln", "blender": (4, 2, 0), "category": "Object"}


class Piece(BaseModel):
    """What is fired."""

    name: str
    height: Annotated[float, Field(ge=0)] = 1.0


app = FastAPI(title="Kiln")


@app.get("/pieces/{name}")
async def show(name: str) -> Piece:
    """Tell of an object."""
    if (found := bpy.data.objects.get(name)) is None:
        raise HTTPException(404, f"there is no piece {name!r}")
    return Piece(name=found.name, height=found.dimensions.z)


@app.post("/pieces", status_code=201)
async def add(piece: Piece) -> Piece:
    """Add an empty object."""
    made = bpy.data.objects.new(piece.name, None)
    made.scale.z = piece.height
    return Piece(name=made.name, height=made.scale.z)


web.site("kiln").mount("/", app)


def register() -> None:
    """Nothing: the site comes and goes with the add-on."""


unregister = register
