"""A product whose picture a customer configures: a glazed cup in a small studio.

It is built from numbers when it is first wanted, and stays: a job only sets what was chosen. All
that is set is set every time, so that no picture shows what the customer before has chosen.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import bpy
from mathutils import Matrix, Vector

import aiobpy

ROUGHNESS = {"glaze": 0.12, "satin": 0.35, "raw": 0.8}
CAMERAS = {"hero": (-1.5, -5.0, 2.3), "front": (0.0, -5.4, 0.9), "top": (-0.6, -2.6, 4.6)}
PROFILE = (
    # Radius and height, from under the foot over the lip to the middle of the inside.
    (0.0, 0.02), (0.42, 0.02), (0.46, 0.0), (0.5, 0.02), (0.5, 0.06), (0.62, 0.14), (0.72, 0.4),
    (0.74, 0.75), (0.72, 1.1), (0.715, 1.13), (0.69, 1.13), (0.68, 1.1), (0.69, 0.75), (0.66, 0.4),
    (0.56, 0.2), (0.3, 0.12), (0.0, 0.12),
)  # fmt: skip
HANDLE = ((0.7, 0.92), (0.98, 0.98), (1.12, 0.72), (1.02, 0.44), (0.68, 0.3))
AROUND = 48


@aiobpy.template(between_jobs="keep")
def cup(
    colour: aiobpy.Colour = "#d13b2a",
    finish: Literal["glaze", "satin", "raw"] = "glaze",
    backdrop: aiobpy.Colour = "#e8e4dd",
    turn: Annotated[float, aiobpy.Range(-180.0, 180.0)] = 0.0,
    camera: Literal["hero", "front", "top"] = "hero",
) -> None:
    """A ceramic cup.

    Args:
        colour: Of the glaze.
        finish: Shiny, half matt, or as it comes from the kiln.
        backdrop: Colour of the paper behind and under it.
        turn: Of the cup around its axis, in degrees.
        camera: Where the picture is taken from.
    """
    if "Cup" not in bpy.data.objects:
        build()
    surface = bpy.data.materials["Glaze"].node_tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = linear(colour)
    surface.inputs["Roughness"].default_value = ROUGHNESS[finish]
    paper = bpy.data.materials["Paper"].node_tree.nodes["Principled BSDF"]
    paper.inputs["Base Color"].default_value = linear(backdrop)
    bpy.data.objects["Cup"].rotation_euler.z = math.radians(turn)
    eye = bpy.data.objects["Camera"]
    look(eye, CAMERAS[camera])
    set_up_render(bpy.context.scene)
    bpy.context.scene.camera = eye


def build() -> None:
    """Make the cup, the paper, three soft lights and the camera."""
    body = add("Cup", turned(PROFILE), material("Glaze"))
    subdivide(body)
    handle = bpy.data.curves.new("Handle", 'CURVE')
    handle.dimensions, handle.bevel_depth, handle.bevel_resolution = '3D', 0.075, 6
    spline = handle.splines.new('BEZIER')
    spline.bezier_points.add(len(HANDLE) - 1)
    for point, (x, z) in zip(spline.bezier_points, HANDLE, strict=True):
        point.co = (x, 0.0, z)
        point.handle_left_type = point.handle_right_type = 'AUTO'
    add("Handle", handle, bpy.data.materials["Glaze"]).parent = body
    subdivide(add("Sweep", sweep(), material("Paper", roughness=0.9)))
    for name, place, size, power in (
        ("Key", (-3.4, -1.8, 3.2), 2.4, 260.0),
        ("Fill", (3.4, -0.6, 1.8), 2.0, 90.0),
        ("Top", (0.2, 1.2, 4.6), 3.0, 160.0),
    ):
        light = bpy.data.lights.new(name, 'AREA')
        light.size, light.energy = size, power
        look(add(name, light), place)
    lens = bpy.data.cameras.new("Camera")
    lens.lens = 85.0
    add("Camera", lens)


def set_up_render(scene: Any) -> None:
    """Cycles on the processor, a picture in seconds."""
    scene.render.engine = 'CYCLES'
    scene.cycles.device = 'CPU'
    scene.cycles.samples = 16
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 4
    scene.render.resolution_x = scene.render.resolution_y = 480
    scene.render.resolution_percentage = 100
    # Made for shops: the colour that was asked for is the colour in the picture.
    scene.view_settings.view_transform = 'Khronos PBR Neutral'


def turned(profile: tuple[tuple[float, float], ...]) -> Any:
    """Return a mesh of a profile that is turned around the Z axis."""
    points = [
        (radius * math.cos(angle), radius * math.sin(angle), z)
        for radius, z in profile
        for angle in (math.tau * step / AROUND for step in range(AROUND))
    ]
    faces = []
    for row in range(0, AROUND * (len(profile) - 1), AROUND):
        for step in range(AROUND):
            here, next_ = row + step, row + (step + 1) % AROUND
            faces.append((here, next_, next_ + AROUND, here + AROUND))
    return smooth("Cup", points, faces)


def sweep() -> Any:
    """Return a sheet of paper that lies under the cup, bends up behind it and stands."""
    bend = [(3.0 + 2 * math.sin(a), 2 - 2 * math.cos(a)) for a in (0.0, 0.4, 0.8, 1.2, math.pi / 2)]
    profile = [(-9.0, 0.0), (0.0, 0.0), *bend, (5.0, 9.0)]
    points = [(x, y, z) for y, z in profile for x in (-12.0, 12.0)]
    faces = [(row, row + 1, row + 3, row + 2) for row in range(0, 2 * (len(profile) - 1), 2)]
    return smooth("Sweep", points, faces)


def smooth(name: str, points: list[Any], faces: list[Any]) -> Any:
    """Return a smooth mesh."""
    made = bpy.data.meshes.new(name)
    made.from_pydata(points, [], faces)
    made.validate()
    made.shade_smooth()
    return made


def subdivide(thing: Any) -> None:
    """Round an object off."""
    modifier = thing.modifiers.new("Subdivision", 'SUBSURF')
    modifier.levels = modifier.render_levels = 2


def material(name: str, roughness: float = 0.5) -> Any:
    """Return a new material."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = roughness
    return made


def add(name: str, data: Any, surface: Any = None) -> Any:
    """Return a new object in the scene."""
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    if surface is not None:
        data.materials.append(surface)
    return made


def look(thing: Any, place: tuple[float, float, float]) -> None:
    """Put a light or a camera somewhere, and turn it to the cup."""
    toward = Vector((0.1, 0.0, 0.55)) - Vector(place)
    thing.matrix_world = Matrix.LocRotScale(Vector(place), toward.to_track_quat('-Z', 'Y'), None)


def linear(colour: str) -> tuple[float, float, float, float]:
    """`#rrggbb`, as screens have it, in the linear light that Blender computes with."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    )
    return (red, green, blue, 1.0)
