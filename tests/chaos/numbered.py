"""A template whose picture is a number, so that a wrong one is seen; and one that misbehaves."""

from __future__ import annotations

import ctypes
import os
import select
import sys
from typing import Annotated, Literal

import bpy

import aiobpy

LEVELS = 64
"""Of each channel, far enough apart to survive rounding."""


@aiobpy.template()
def numbered(
    number: Annotated[int, aiobpy.Range(0, LEVELS**3 - 1)] = 0,
    how: Literal["well", "slow", "crash", "exit", "garbage", "leak", "hang", "raise"] = "well",
) -> None:
    """Paint the world in the colour that stands for a number.

    Args:
        number: Which one.
        how: What a template should not do.
    """
    set_up()
    levels = (number // LEVELS**2, number // LEVELS % LEVELS, number % LEVELS)
    colour = [linear((level * 4 + 2) / 255) for level in levels]
    background = bpy.context.scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*colour, 1)
    misbehave(how)


def misbehave(how: str) -> None:
    """Do what no template should, or only takes its time."""
    if how == "slow":
        # With a clock that is faked, Python cannot sleep.
        select.select([], [], [], 1.0)
    if how == "crash":
        import faulthandler

        faulthandler._sigsegv()  # type: ignore[attr-defined]
    if how == "exit":
        os._exit(3)
    if how == "garbage":
        os.write(1, os.urandom(1 << 16))
        sys.stderr.write("\x00" * 4096)
    if how == "leak":
        kept.append(bytearray(os.urandom(1 << 20) * 16))
    if how == "hang":
        # All of Python is blocked, as by an add-on in C.
        ctypes.PyDLL(None).pause()
    if how == "raise":
        raise KeyError(how)


def set_up() -> None:
    """Use the least that renders: a world and a camera."""
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = 'Standard'
    if scene.world is None:
        scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    if scene.camera is None:
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.collection.objects.link(camera)
        scene.camera = camera


def linear(encoded: float) -> float:
    """Undo sRGB's transfer function (IEC 61966-2-1); from and to 0 to 1."""
    return encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4


kept: list[bytearray] = []
