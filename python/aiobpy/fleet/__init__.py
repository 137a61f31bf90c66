"""A fleet of warm Blenders, awaited: `await aiobpy.fleet.render("mug", output="mug.png")`.

A client of the REST API of `aiobpy serve`, for plain Python on any loop of asyncio and for Blender
on the shared one; and other instances of Blender, started and controlled by this one.

**Invariant:** needs nothing but Python and `aiobpy`, and no Blender: only `inside`, which runs in
the other one, names `bpy`.
"""

from __future__ import annotations

from typing import Any

from aiobpy.fleet.batches import Batch
from aiobpy.fleet.client import Fleet, connect
from aiobpy.fleet.errors import (
    Busy,
    Conflict,
    FleetError,
    InvalidRequest,
    JobCancelled,
    JobFailed,
    NotAllowed,
    NotFound,
    Refused,
    Unreachable,
)
from aiobpy.fleet.instances import Instance, InstanceEnded, instance
from aiobpy.fleet.jobs import Job, Result
from aiobpy.fleet.streams import Event


async def render(template: str, /, **arguments: Any) -> Result:
    """Have the fleet that this user started last render a template; see `Fleet.render`.

    Raises:
        FleetError: As `Fleet.render` does.
    """
    async with connect() as fleet:
        return await fleet.render(template, **arguments)


async def workers() -> list[dict[str, Any]]:
    """Return the workers of the fleet that this user started last; see `Fleet.workers`.

    Raises:
        FleetError: There is none.
    """
    async with connect() as fleet:
        return await fleet.workers()


async def templates() -> dict[str, dict[str, Any]]:
    """Return the templates of the fleet that this user started last; see `Fleet.templates`.

    Raises:
        FleetError: There is none.
    """
    async with connect() as fleet:
        return await fleet.templates()


__all__ = [
    "Batch",
    "Busy",
    "Conflict",
    "Event",
    "Fleet",
    "FleetError",
    "Instance",
    "InstanceEnded",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobFailed",
    "NotAllowed",
    "NotFound",
    "Refused",
    "Result",
    "Unreachable",
    "connect",
    "instance",
    "render",
    "templates",
    "workers",
]
