"""How the open scene is looked at, for templates that do not know it: camera, light, size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import bpy
from mathutils import Matrix, Vector

from aiobpy.worker import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPES = {'MESH', 'CURVE', 'CURVES', 'SURFACE', 'META', 'FONT', 'VOLUME', 'POINTCLOUD', 'GPENCIL'}
"""Objects that a picture shows."""
_QUICK_SAMPLES = 16
_FROM = Vector((0.62, -1.0, 0.45))
_LIT_BY = {'TEX_ENVIRONMENT', 'TEX_SKY', 'EMISSION'}


def use_camera(name: str) -> None:
    """Take the picture with a camera of the scene; with its own if the name is empty.

    Raises:
        JobError: There is none of that name.
    """
    if not name:
        return
    camera = bpy.context.scene.objects.get(name)
    if camera is None or camera.type != 'CAMERA':
        error = ValueError(f"the scene has no camera {name!r}")
        raise problems.parameter_unfit("builtin/render", error, "camera")
    bpy.context.scene.camera = camera


def use_view_layer(name: str) -> None:
    """Render one view layer only; all that are on if the name is empty.

    Raises:
        JobError: There is none of that name.
    """
    layers = bpy.context.scene.view_layers
    if not name:
        return
    if name not in layers:
        error = ValueError(f"the scene has no view layer {name!r}")
        raise problems.parameter_unfit("builtin/render", error, "view_layer")
    for layer in layers:
        layer.use = layer.name == name


def make_transparent() -> None:
    """Leave the background out."""
    render = bpy.context.scene.render
    render.film_transparent = True
    if render.image_settings.file_format in ('PNG', 'WEBP', 'OPEN_EXR'):
        render.image_settings.color_mode = 'RGBA'


def simplify() -> None:
    """Have a quick picture made: few samples, few bounces, nothing done to it afterwards."""
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = 'CYCLES'
    cycles.samples, cycles.max_bounces = _QUICK_SAMPLES, 4
    cycles.use_denoising = False
    render.use_simplify, render.simplify_subdivision_render = True, 1
    render.use_compositing = render.use_sequencer = render.use_motion_blur = False
    render.use_border = render.use_multiview = render.use_freestyle = False


def fit_into(width: int, height: int) -> None:
    """Make the picture as large as fits, of the scene's own proportions."""
    render = bpy.context.scene.render
    scale = min(width / render.resolution_x, height / render.resolution_y)
    render.resolution_x = max(round(render.resolution_x * scale), 4)
    render.resolution_y = max(round(render.resolution_y * scale), 4)
    render.resolution_percentage = 100


def fit_square(side: int) -> None:
    """Make the picture a square."""
    render = bpy.context.scene.render
    render.resolution_x = render.resolution_y = side
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0


def use_camera_or_all(*, whole: bool, lens: float | None = None) -> None:
    """Take the picture with the scene's camera; with one that shows all if there is none.

    Args:
        whole: Show all whatever cameras there are.
        lens: Focal length of the camera that shows all, in millimetres.
    """
    if whole or bpy.context.scene.camera is None:
        show_all(None, lens=lens)


def show_all(objects: Iterable[Any] | None, *, lens: float | None = None) -> None:
    """Take the picture with a camera that shows these objects, or all there are."""
    camera = _own_camera()
    if lens is not None:
        camera.data.lens = lens
    centre, radius = bounds(objects)
    distance = radius / math.sin(_half_angle(camera)) * 1.05
    look_at(camera, centre, _FROM.normalized() * distance)
    camera.data.clip_start = max((distance - radius) * 0.1, 1e-4)
    camera.data.clip_end = (distance + radius) * 4
    bpy.context.scene.camera = camera


def light_if_dark() -> None:
    """Give a scene that nothing lights a sun and a grey sky."""
    scene = bpy.context.scene
    if any(thing.type == 'LIGHT' for thing in scene.objects) or any(map(_gives_light, _trees())):
        return
    sun = bpy.data.objects.new("aiobpy sun", bpy.data.lights.new("aiobpy sun", 'SUN'))
    sun.data.energy, sun.data.angle = 3.0, 0.3
    sun.rotation_euler = (math.radians(48), math.radians(8), math.radians(60))
    scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("aiobpy sky")
    world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == 'BACKGROUND')
    background.inputs["Color"].default_value = (0.32, 0.34, 0.37, 1.0)
    scene.world = world


def bounds(objects: Iterable[Any] | None) -> tuple[Vector, float]:
    """Return the middle of what a picture shows, and how far it reaches from there."""
    wanted = None if objects is None else {thing.name for thing in objects}
    corners = []
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        thing = instance.object
        owner = instance.parent if instance.is_instance else thing
        if thing.type not in SHAPES or thing.hide_render:
            continue
        if wanted is None or owner.name in wanted:
            corners += [instance.matrix_world @ Vector(corner) for corner in thing.bound_box]
    if not corners:
        return Vector((0.0, 0.0, 0.0)), 1.0
    low = Vector([min(corner[axis] for corner in corners) for axis in range(3)])
    high = Vector([max(corner[axis] for corner in corners) for axis in range(3)])
    return (low + high) / 2, max((high - low).length / 2, 1e-3)


def look_at(camera: Any, target: Vector, offset: Vector) -> None:
    """Put the camera at an offset from what it is to look at, upright."""
    turned = (-offset).to_track_quat('-Z', 'Y').to_matrix().to_4x4()
    camera.matrix_world = Matrix.Translation(target + offset) @ turned


class Orbit:
    """Carries the scene's camera around all there is.

    Args:
        elevation: Above the horizon, in degrees.
    """

    def __init__(self, elevation: float) -> None:
        self._camera = bpy.context.scene.camera
        self._centre, radius = bounds(None)
        self._distance = radius / math.sin(_half_angle(self._camera)) * 1.05
        self._elevation = math.radians(elevation)

    def look(self, degrees: float) -> None:
        """Look from so far around; 0 is the front."""
        angle = math.radians(degrees - 90)
        flat = math.cos(self._elevation)
        direction = Vector((flat * math.cos(angle), flat * math.sin(angle), 0.0))
        direction.z = math.sin(self._elevation)
        look_at(self._camera, self._centre, direction * self._distance)


def _own_camera() -> Any:
    name = "aiobpy camera"
    camera = bpy.context.scene.objects.get(name)
    if camera is None:
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        bpy.context.scene.collection.objects.link(camera)
    return camera


def _half_angle(camera: Any) -> float:
    """Half of what the camera sees along the picture's shorter side."""
    render = bpy.context.scene.render
    sides = sorted((render.resolution_x, render.resolution_y))
    return math.atan(math.tan(camera.data.angle / 2) * sides[0] / sides[1])


def _trees() -> Iterable[Any]:
    world = bpy.context.scene.world
    owners = [*bpy.data.materials, *([world] if world else [])]
    return [tree for owner in owners if (tree := owner.node_tree) is not None]


def _gives_light(tree: Any) -> bool:
    for node in tree.nodes:
        if node.type in _LIT_BY:
            return True
        if node.type == 'BSDF_PRINCIPLED':
            colour, strength = node.inputs.get("Emission Color"), node.inputs["Emission Strength"]
            if strength.default_value > 0 and colour and any(colour.default_value[:3]):
                return True
    return False
