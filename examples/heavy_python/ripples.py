"""What is computed in the other Python: with Numba if it is there, and without anything else."""

from __future__ import annotations

import array
import math
from typing import Any

try:
    import numpy as np
    from numba import njit
except ImportError:
    np = njit = None  # type: ignore[assignment]


def ripple(positions: Any, *, height: float, waves: float) -> dict[str, Any]:
    """Lift the vertices, `x, y, z` one after another, in rings around the middle."""
    lifted = array.array("f", bytes(positions.nbytes))
    _lift_fast(positions, lifted if np is None else np.asarray(lifted), height, waves)
    return {"positions": lifted}


def _lift(source: Any, target: Any, height: float, waves: float) -> None:
    for vertex in range(len(source) // 3):
        x, y, z = source[3 * vertex], source[3 * vertex + 1], source[3 * vertex + 2]
        away = math.sqrt(x * x + y * y)
        target[3 * vertex] = x
        target[3 * vertex + 1] = y
        target[3 * vertex + 2] = z + height * math.cos(2 * math.pi * waves * away)


# Compiled when it is first called, or left to Python: slow, and correct.
_lift_fast = njit(_lift) if njit else _lift
