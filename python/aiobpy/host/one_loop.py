"""One Blender, one loop: also where two extensions have brought a copy of aiobpy each.

Extensions share one folder of wheels, in which the highest version wins. A copy that an add-on
carries inside itself is a module of its own, and would make a second loop.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from aiobpy._native import __version__

_PLACE = "_aiobpy_of_this_process"
"""A name in `sys`, which all copies see."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of aiobpy."""

    version: str
    folder: str


def claim() -> None:
    """Make this copy the one of the process.

    Raises:
        RuntimeError: Another copy runs the loop.
    """
    ours = _this_copy()
    holder = getattr(sys, _PLACE, None)
    if holder is not None and holder.folder != ours.folder:
        msg = (
            f"this Blender already runs the loop of aiobpy {holder.version} from {holder.folder},"
            f" so aiobpy {ours.version} from {ours.folder} cannot run another; have the add-on that"
            " carries this copy list aiobpy's wheel in its manifest instead, so that all share one"
        )
        raise RuntimeError(msg)
    setattr(sys, _PLACE, ours)


def let_go() -> None:
    """The loop is closed: another copy may run one."""
    if getattr(sys, _PLACE, None) == _this_copy():
        delattr(sys, _PLACE)


def _this_copy() -> Copy:
    return Copy(__version__, str(Path(__file__).resolve().parents[1]))
