"""Which graphics card Cycles renders on. Which there are to see, the supervisor has decided."""

from __future__ import annotations

from typing import Any

import bpy

from aiobpy.worker import problems


def choose(kind: str | None) -> None:
    """Have Cycles render on the cards of a kind that this process can see.

    Args:
        kind: As in `cuda`, `optix`, `hip`, `oneapi` or `metal`; None or `cpu`: the processor.

    Raises:
        JobError: This Blender sees none of that kind.
    """
    if kind is None or kind == "cpu":
        return
    preferences = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = kind.upper()
    except TypeError:
        raise _missing(kind, "this Blender was not built for it, or finds no driver") from None
    preferences.refresh_devices()
    found = [card for card in preferences.devices if card.type == kind.upper()]
    if not found:
        raise _missing(kind, "none is to be seen")
    for card in preferences.devices:
        card.use = card in found


def is_chosen() -> bool:
    """Whether Cycles renders on a graphics card."""
    cycles: Any = bpy.context.preferences.addons.get("cycles")
    return cycles is not None and cycles.preferences.compute_device_type != 'NONE'


def _missing(kind: str, why: str) -> problems.JobError:
    return problems.JobError(
        "device-missing",
        "The graphics card is not there",
        f"the pool is to render on {kind}, and {why}",
        hint="check the driver, and the pool's `device`; `cpu` renders on the processor",
        status=503,
    )
