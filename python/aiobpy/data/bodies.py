"""What clients send: the bodies of requests, as the site's functions take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiobpy.data.operator_context import Context


@dataclass
class Value:
    """A value for what a path leads to."""

    value: Any


@dataclass
class OperatorCall:
    """How an operator is called.

    Attributes:
        args: By name; the others have their defaults.
        context: Where it works, and on what.
        undo: Whether it is an undo step.
        dry_run: Whether it is only checked whether it would run.
    """

    args: dict[str, Any] = field(default_factory=dict)
    context: Context = field(default_factory=Context)
    undo: bool = True
    dry_run: bool = False


@dataclass
class RenderOrder:
    """What is to be rendered: a picture, or an animation if it has `frames`.

    Attributes:
        scene: Its name; the current one if left out.
        frame: The frame of a picture; the scene's current one if left out.
        frames: The first and the last frame of an animation, and the step if it is not 1.
    """

    scene: str | None = None
    frame: int | None = None
    frames: list[int] | None = None


@dataclass
class SaveOrder:
    """Where the open file is saved: where it is now if `path` is left out."""

    path: str | None = None
    copy: bool = False


@dataclass
class OpenOrder:
    """What file is opened, and whether what is not saved may be lost by that."""

    path: str
    discard: bool = False
    load_ui: bool = False


@dataclass
class Code:
    """Python to be run, with the names of its namespace and those in `args`."""

    code: str
    args: dict[str, Any] = field(default_factory=dict)
    namespace: str = "main"
    undo: bool = True
