"""One undo step for each change: where Blender keeps steps, which it does for people alone."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from aiobpy import host, main_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(slots=True)
class Step:
    """A step to be.

    Attributes:
        has_begun: Whether something may have changed, so that there is a step even if it fails.
    """

    has_begun: bool = False


@contextlib.asynccontextmanager
async def step(name: str, *, is_wanted: bool = True) -> AsyncIterator[Step]:
    """Make what happens inside one undo step.

    While a person is in the middle of a transform it waits. What raises before anything was changed
    leaves no step. Without windows nobody undoes, and no step is made.

    Args:
        name: As `Edit > Undo History` shows it.
        is_wanted: Whether there is to be a step at all.
    """
    made = Step()
    if not (is_wanted and host.has_main_loop() and _keeps_steps()):
        yield made
        return
    await main_loop.hands_off()
    try:
        yield made
        made.has_begun = True
    finally:
        if made.has_begun:
            with main_loop.with_a_window():
                bpy.ops.ed.undo_push(message=name)


def _keeps_steps() -> bool:
    return bool(bpy.context.preferences.edit.use_global_undo)
