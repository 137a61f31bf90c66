"""A template with a parameter of each kind that has several fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import aiobpy


@dataclass
class Size:
    """In metres."""

    width: float
    depth: float


@aiobpy.template(formats=("json",))
def wishes(
    names: list[str],
    sizes: list[Size] | None = None,
    sides: list[int] | None = None,
    finish: Literal["gloss", "powder"] | None = None,
) -> Any:
    """What somebody wishes for, told again.

    Args:
        names: What it is called.
        sizes: How large.
        sides: How many.
        finish: What it is painted with.
    """
    return {"names": names, "sizes": sizes, "sides": sides, "finish": finish}
