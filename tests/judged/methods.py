"""Methods of all shapes, for judges of what OpenAPI says of them."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from typing import Annotated, Any, Literal

import aiobpy


class Finish(enum.Enum):
    """How a surface is finished."""

    MATT = "matt"
    GLOSS = "gloss"


@dataclasses.dataclass
class Cup:
    """One cup."""

    name: str
    height: float
    finish: Finish = Finish.MATT


@aiobpy.rpc(name="cup.fill")
def fill(height: Annotated[float, aiobpy.Range(0, 1)], times: int = 1) -> list[float]:
    """Fill the cup.

    Args:
        height: How full it is to be.
        times: How often.
    """
    return [height] * min(max(times, 0), 3)


@aiobpy.rpc(name="cup.make", idempotent=True)
def make(cup: Cup, colour: aiobpy.Colour = "#ff0000") -> Cup:
    """Make a cup."""
    return cup


@aiobpy.rpc(name="cup.find", scope="read", read_only=True)
async def find(name: str | None = None, kind: Literal["tea", "coffee"] = "tea") -> dict[str, Any]:
    """Find a cup, later."""
    await asyncio.sleep(0)
    return {"name": name, "kind": kind}


@aiobpy.rpc(name="cup.count")
def count() -> int:
    """Count the cups."""
    return 3


@aiobpy.rpc(name="cup.bake", long=True)
async def bake(tags: list[str] | None = None) -> str:
    """Bake a cup, which takes long."""
    aiobpy.set_progress(0.5, "in the oven")
    await asyncio.sleep(0)
    return ", ".join(tags or [])


@aiobpy.rpc(name="cup.break")
def break_it(name: str) -> None:
    """Refuse to break a cup."""
    raise aiobpy.Problem(f"the cup {name!r} does not break", status=409, kind="unbreakable")
