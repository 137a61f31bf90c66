"""A scene that is made in no time: a ball in front of a camera."""

from __future__ import annotations

import ctypes
from typing import Annotated, Any, Literal

import bpy

import aiobpy


@aiobpy.template()
def ball(
    colour: aiobpy.Colour = "#ffffff",
    size: Annotated[float, aiobpy.Range(0.1, 2.0)] = 1.0,
    misbehave: Literal["no", "raise", "exit", "crash", "no camera", "big picture"] = "no",
    gate: str = "",
) -> None:
    """A ball that glows.

    Args:
        colour: What it glows in.
        size: Its radius in metres.
        misbehave: What a template should not do.
        gate: A pipe to read a byte from, with all of Python blocked.
    """
    scene = bpy.context.scene
    # Each job starts with the scene's own settings, so each has to set what it wants otherwise.
    scene.render.engine = 'CYCLES'
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = 'Standard'
    if misbehave == "big picture":
        scene.render.resolution_x = scene.render.resolution_y = 40
        scene.render.resolution_percentage = 50
        scene.cycles.samples = 2
    if "Ball" not in bpy.data.objects:
        build(scene)
    ball = bpy.data.objects["Ball"]
    ball.scale = (size, size, size)
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    glow = bpy.data.materials["Glow"].node_tree.nodes["Emission"]
    glow.inputs["Color"].default_value = (*channels, 1.0)
    scene.camera = None if misbehave == "no camera" else bpy.data.objects["Camera"]
    if misbehave == "raise":
        del bpy.data.objects["no such ball"]["anything"]
    if misbehave == "exit":
        raise SystemExit(3)
    if gate:
        with open(gate, "rb") as opened:
            ctypes.PyDLL(None).read(opened.fileno(), ctypes.create_string_buffer(1), 1)
    if misbehave == "crash":
        import faulthandler

        faulthandler._sigsegv()  # type: ignore[attr-defined]


def build(scene: Any) -> None:
    """Put the ball and the camera into the empty scene."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=16, ring_count=8)
    ball = bpy.context.object
    ball.name = "Ball"
    material = bpy.data.materials.new("Glow")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    emission = nodes.new('ShaderNodeEmission')
    output = nodes.new('ShaderNodeOutputMaterial')
    material.node_tree.links.new(emission.outputs[0], output.inputs[0])
    ball.data.materials.append(material)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = (0, 0, 4)
    scene.collection.objects.link(camera)
