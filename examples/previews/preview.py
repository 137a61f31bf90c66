"""A template that draws what ships inside Blender: objects, node groups, brushes, lights.

It has no scene of its own. For each job it clears the file, appends one data-block from a library
that came with Blender (never a file from elsewhere), sets it on a neutral stage and frames it.
"""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import bpy
from mathutils import Matrix, Vector

import aiobpy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["object", "node_group", "brush", "environment", "matcap"]
LIBRARY_LISTS = {"object": "objects", "node_group": "node_groups", "brush": "brushes"}

HAIR = "Generate Hair Curves"
"""What the other hair node groups need before them."""

EXAMPLE_INPUTS: dict[str, dict[str, Any]] = {
    # Where the defaults leave nothing to see, or far too much of it.
    HAIR: {"Hair Length": 0.5, "Density": 220.0},
    "Array": {"Count": 4},
    "Braid Hair Curves": {"Frequency": 4.0, "Radius": 0.04},
    "Clump Hair Curves": {"Guide Distance": 0.3, "Existing Guide Map": False},
    "Curl Hair Curves": {"Radius": 0.05, "Frequency": 5.0},
    "Displace Geometry": {"Offset Distance": 0.12},
    "Displace Hair Curves": {"Displace Vector": (0.0, 0.0, -0.4)},
    "Duplicate Hair Curves": {"Amount": 5, "Radius": 0.05},
    "Frizz Hair Curves": {"Distance": 0.05},
    "Hair Curves Noise": {"Distance": 0.12, "Scale": 6.0},
    "Roll Hair Curves": {"Roll Length": 0.25},
    "Rotate Hair Curves": {"Angle": 0.9},
    "Scatter on Surface": {"Density": 90.0},
    "Set Hair Curve Profile": {"Radius": 0.02},
    "Smooth Geometry": {"Iterations": 40},
    "Trim Hair Curves": {"Length Factor": 0.4, "Random Offset": 0.4},
}


USES = {'ShaderNodeTree': "values for materials", 'CompositorNodeTree': "values for the compositor"}


class NothingToDrawError(Exception):
    """The library or the data-block has no picture; the text says what there is instead."""


@aiobpy.template()
def preview(
    file: Annotated[str, aiobpy.MaxLength(200)],
    kind: Kind = "object",
    name: Annotated[str, aiobpy.MaxLength(64)] = "",
) -> None:
    """A picture of something that ships inside Blender, on a neutral stage.

    Args:
        file: A file inside Blender's own folder, as in `datafiles/assets/nodes/….blend`; an EXR
            for environments and matcaps.
        kind: What to draw: objects of the file, a Geometry Nodes group on a sample, a brush's
            stroke, a ball lit by an environment, or a head shaded by a matcap.
        name: The data-block's name. Empty: all objects together, or the first of its kind.
    """
    path = inside_blender(file)
    clear()
    if kind == "environment":
        draw_environment(path)
    elif kind == "matcap":
        draw_matcap(path)
    elif kind == "brush":
        draw_brush(append(path, kind, name)[0])
    elif kind == "object":
        light_stage()
        show(append(path, kind, name))
    else:
        light_stage()
        show(apply_node_group(path, append(path, kind, name)[0]))


def inside_blender(file: str) -> Path:
    """The path of a file in Blender's own folder, and of no other."""
    folder = Path(bpy.utils.resource_path('LOCAL')).resolve()
    path = (folder / file).resolve()
    if not path.is_relative_to(folder):
        msg = f"{file!r} leads out of Blender's folder; name a file inside it"
        raise ValueError(msg)
    if not path.is_file():
        msg = f"there is no {file!r} in this Blender ({bpy.app.version_string})"
        raise FileNotFoundError(msg)
    return path


def append(path: Path, kind: Kind, name: str) -> list[Any]:
    """Copy data-blocks out of a library: the named one, all objects, or the first of a kind.

    Raises:
        NothingToDrawError: The library has none of that kind, or none of that name.
    """
    attribute = LIBRARY_LISTS[kind]
    with bpy.data.libraries.load(str(path), link=False) as (held, wanted):
        names = [held_name for held_name in getattr(held, attribute) if held_name[0] != "."]
        if not names:
            msg = f"{path.name} has nothing of kind {kind!r} to draw; it holds {contents(held)}"
            raise NothingToDrawError(msg)
        if name and name not in names:
            msg = f"{path.name} has no {kind} {name!r}; it has {', '.join(names[:12])}"
            raise NothingToDrawError(msg)
        chosen = [name] if name else names if kind == "object" else names[:1]
        setattr(wanted, attribute, chosen)
    return [block for block in getattr(wanted, attribute) if block is not None]


def contents(held: Any) -> str:
    """What a library holds, in words."""
    counts = {
        kind.replace("_", " "): len(getattr(held, kind))
        for kind in dir(held)
        if kind not in ("version", "screens", "workspaces") and getattr(held, kind)
    }
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"


def clear() -> None:
    """Leave nothing of the job before. No file is loaded: that would drop a worker's handlers."""
    keep = (bpy.types.Scene, bpy.types.Screen, bpy.types.WorkSpace, bpy.types.WindowManager)
    blocks = (block for group in (bpy.data.user_map(),) for block in group)
    bpy.data.batch_remove([block for block in blocks if not isinstance(block, keep)])
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = 24
    scene.cycles.use_denoising = True
    scene.cycles.denoising_quality = 'BALANCED'
    scene.cycles.denoising_prefilter = 'FAST'
    scene.render.resolution_x = scene.render.resolution_y = 256
    scene.view_settings.view_transform = 'AgX'
    scene.render.film_transparent = False


def show(things: Iterable[Any]) -> None:
    """Put objects into the scene, scaled to the stage, standing on its floor."""
    things = list(things)
    drawn = [thing for thing in things if thing.type in DRAWN_TYPES]
    if not drawn:
        kinds = ", ".join(f"{thing.name} ({thing.type.lower()})" for thing in things)
        msg = f"none of the objects can be seen in a render: {kinds}"
        raise NothingToDrawError(msg)
    stand = link(bpy.data.objects.new("Stand", None))
    for thing in drawn:
        if thing.name not in bpy.context.scene.objects:
            link(thing)
        if thing.parent is None:
            thing.parent = stand
        if thing.type in PLAIN_TYPES and not any(thing.data.materials):
            thing.data.materials.append(plain_material("Clay", (0.62, 0.60, 0.57), 0.55))
    low, high = bounds(drawn)
    if (high - low).length == 0.0:
        names = ", ".join(thing.name for thing in drawn)
        msg = f"{names}: there is no geometry in it"
        raise NothingToDrawError(msg)
    middle, size = (low + high) / 2, (high - low).length
    scale = 2.3 / size
    floor = Vector((middle.x, middle.y, low.z))
    stand.matrix_world = Matrix.Scale(scale, 4) @ Matrix.Translation(-floor)
    camera_at(Vector((1.5, -4.4, 1.9)), Vector((0.0, 0.0, (high.z - low.z) * scale / 2)))


DRAWN_TYPES = ('MESH', 'CURVE', 'CURVES', 'SURFACE', 'FONT', 'META', 'GREASEPENCIL', 'POINTCLOUD')
PLAIN_TYPES = ('MESH', 'CURVE', 'SURFACE', 'FONT', 'META')


def bounds(things: list[Any]) -> tuple[Vector, Vector]:
    """The corners of what the objects look like, their instances included."""
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    wanted = {thing.name for thing in things}
    corners = [
        instance.matrix_world @ Vector(corner)
        for instance in depsgraph.object_instances
        if (instance.parent or instance.object).original.name in wanted
        # A curve's box is not what a node group makes of it: that is the mesh beside it.
        and instance.object.type in DRAWN_TYPES
        and not (instance.object.type == 'CURVE' and instance.object.modifiers)
        for corner in instance.object.bound_box
    ]
    if not corners:
        return Vector(), Vector()
    low = Vector(map(min, zip(*corners, strict=True)))
    return low, Vector(map(max, zip(*corners, strict=True)))


def apply_node_group(path: Path, group: Any) -> list[Any]:
    """A sample object with the node group as its modifier; for hair, with a ball that it grows on.

    Raises:
        NothingToDrawError: The group is of another kind, or computes values only.
    """
    outputs = {socket.socket_type for socket in sockets(group, 'OUTPUT')}
    if group.bl_idname != 'GeometryNodeTree' or 'NodeSocketGeometry' not in outputs:
        made = USES.get(group.bl_idname, "values")
        msg = f"the node group {group.name!r} makes {made}, not geometry"
        raise NothingToDrawError(msg)
    if "hair" in path.stem:
        ball = sample_mesh("Ball", ball=True)
        sample = link(bpy.data.objects.new("Hair", bpy.data.hair_curves.new("Hair")))
        sample.data.surface, sample.data.surface_uv_map = ball, "UVMap"
        sample.parent = ball
        hair = group if group.name == HAIR else append(path, "node_group", HAIR)[0]
        add_modifier(sample, hair, {"Surface": ball})
        if hair is not group:
            add_modifier(sample, group, {"Surface": ball})
        return [ball, sample]
    sample = helix() if group.name.startswith("Curve") else sample_mesh("Head")
    add_modifier(sample, group, {"Object": bead()})
    return [sample]


def add_modifier(thing: Any, group: Any, objects: Mapping[str, Any]) -> None:
    """Give an object a node group, with inputs that show what it does."""
    modifier = thing.modifiers.new(group.name, 'NODES')
    modifier.node_group = group
    examples = EXAMPLE_INPUTS.get(group.name, {})
    for socket in sockets(group, 'INPUT'):
        if socket.socket_type == 'NodeSocketObject' and socket.name in objects:
            set_input(modifier, socket, objects[socket.name])
        elif socket.socket_type == 'NodeSocketMaterial':
            set_input(modifier, socket, plain_material("Strands", (0.42, 0.19, 0.07), 0.4))
        elif socket.socket_type != 'NodeSocketGeometry' and socket.name in examples:
            set_input(modifier, socket, examples[socket.name])
    thing.update_tag()


def set_input(modifier: Any, socket: Any, value: Any) -> None:
    """Set an input of a node group; Blender 5.2 has another way to do it than those before."""
    if hasattr(modifier, "properties"):
        getattr(modifier.properties.inputs, socket.identifier).value = value
    else:
        modifier[socket.identifier] = value


def sockets(group: Any, direction: str) -> list[Any]:
    """The inputs or outputs of a node group."""
    return [
        item
        for item in group.interface.items_tree
        if item.item_type == 'SOCKET' and item.in_out == direction
    ]


def sample_mesh(name: str, *, ball: bool = False) -> Any:
    """Suzanne, or a ball."""
    if ball:
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, segments=48, ring_count=24)
    else:
        bpy.ops.mesh.primitive_monkey_add(size=1.2)
    made = bpy.context.object
    made.name = name
    made.data.shade_smooth()
    if not ball:
        subdivision = made.modifiers.new("Subdivision", 'SUBSURF')
        subdivision.levels = subdivision.render_levels = 1
    made.data.materials.append(plain_material("Clay", (0.62, 0.60, 0.57), 0.55))
    return made


def helix() -> Any:
    """A curve, for node groups that want one."""
    curve = bpy.data.curves.new("Helix", 'CURVE')
    curve.dimensions = '3D'
    spline = curve.splines.new('POLY')
    spline.points.add(96)
    for index, point in enumerate(spline.points):
        angle = math.tau * 3 * index / 96
        point.co = (0.5 * math.cos(angle), 0.5 * math.sin(angle), index / 96, 1.0)
    curve.materials.append(plain_material("Clay", (0.62, 0.60, 0.57), 0.55))
    return link(bpy.data.objects.new("Helix", curve))


def bead() -> Any:
    """What node groups scatter and instance; itself out of the picture."""
    bpy.ops.mesh.primitive_ico_sphere_add(radius=0.035, subdivisions=3)
    made = bpy.context.object
    made.data.shade_smooth()
    made.data.materials.append(plain_material("Bead", (0.75, 0.16, 0.06), 0.3))
    made.hide_render = True
    return made


def draw_brush(brush: Any) -> None:
    """The picture that a brush asset carries, filling the frame.

    Raises:
        NothingToDrawError: It carries none.
    """
    width, height = brush.preview.image_size if brush.preview else (0, 0)
    if not width:
        msg = f"the brush {brush.name!r} carries no picture"
        raise NothingToDrawError(msg)
    picture = bpy.data.images.new(brush.name, width, height, alpha=True)
    pixels = array("f", bytes(4 * len(picture.pixels)))
    brush.preview.image_pixels_float.foreach_get(pixels)
    picture.pixels.foreach_set(pixels)
    picture.update()
    bpy.ops.mesh.primitive_plane_add(size=2.0, rotation=(math.radians(90), 0.0, 0.0))
    bpy.context.object.data.materials.append(picture_material(picture))
    bpy.context.scene.view_settings.view_transform = 'Standard'
    bpy.context.scene.cycles.samples = 4
    world((0.22, 0.22, 0.23), 1.0)
    camera_at(Vector((0.0, -4.0, 0.0)), Vector(), orthographic=2.1)


def draw_environment(path: Path) -> None:
    """A mirror ball and a matt ball under an EXR environment."""
    world((1.0, 1.0, 1.0), 1.0, environment=image(path))
    for name, x, roughness, metallic in (("Mirror", -0.55, 0.02, 1.0), ("Matt", 0.55, 0.7, 0.0)):
        ball = sample_mesh(name, ball=True)
        ball.location = (x, 0.0, 0.5)
        material = plain_material(name, (0.8, 0.8, 0.8), roughness, metallic)
        ball.data.materials[0] = material
    camera_at(Vector((0.0, -4.6, 1.1)), Vector((0.0, 0.0, 0.5)))


def draw_matcap(path: Path) -> None:
    """Suzanne, coloured by where her surface points to, with the diffuse layer of a matcap."""
    head = sample_mesh("Head")
    material = bpy.data.materials.new("Matcap")
    nodes, links = fresh_nodes(material)
    texture = nodes.new('ShaderNodeTexImage')
    texture.image, texture.extension = image(path), 'EXTEND'
    to_camera = nodes.new('ShaderNodeVectorTransform')
    to_camera.vector_type, to_camera.convert_from, to_camera.convert_to = (
        'NORMAL',
        'WORLD',
        'CAMERA',
    )
    to_picture = nodes.new('ShaderNodeMapping')
    to_picture.inputs["Location"].default_value = (0.5, 0.5, 0.0)
    to_picture.inputs["Scale"].default_value = (0.495, 0.495, 0.0)
    glow = nodes.new('ShaderNodeEmission')
    links.new(nodes.new('ShaderNodeNewGeometry').outputs["Normal"], to_camera.inputs[0])
    links.new(to_camera.outputs[0], to_picture.inputs[0])
    links.new(to_picture.outputs[0], texture.inputs[0])
    links.new(texture.outputs[0], glow.inputs[0])
    links.new(glow.outputs[0], nodes.new('ShaderNodeOutputMaterial').inputs[0])
    head.data.materials[0] = material
    bpy.context.scene.view_settings.view_transform = 'Standard'
    world((0.05, 0.05, 0.055), 1.0)
    show([head])


def light_stage() -> None:
    """A sweep, two soft boxes and a dim surround, around the origin."""
    floor = bpy.data.meshes.new("Sweep")
    bend = [(4.0 + 2.0 * math.sin(a), 2.0 - 2.0 * math.cos(a)) for a in (0.0, 0.4, 0.8, 1.2, 1.57)]
    profile = [(-12.0, 0.0), *bend, (6.0, 12.0)]
    corners = [(x, y, z) for y, z in profile for x in (-14.0, 14.0)]
    faces = [(i, i + 1, i + 3, i + 2) for i in range(0, len(corners) - 2, 2)]
    floor.from_pydata(corners, [], faces)
    floor.shade_smooth()
    floor.materials.append(plain_material("Paper", (0.5, 0.5, 0.52), 0.9))
    link(bpy.data.objects.new("Sweep", floor))
    for place, size, power in (((-3.0, -2.5, 3.6), 2.4, 260.0), ((3.4, 0.6, 2.4), 1.6, 140.0)):
        light = bpy.data.lights.new("Soft box", 'AREA')
        light.size, light.energy = size, power
        aim(link(bpy.data.objects.new("Soft box", light)), Vector(place), Vector((0.0, 0.0, 0.5)))
    world((0.9, 0.95, 1.0), 0.35)


def camera_at(place: Vector, target: Vector, *, orthographic: float = 0.0) -> None:
    """The camera that takes the picture."""
    data = bpy.data.cameras.new("Camera")
    data.lens = 75.0
    if orthographic:
        data.type, data.ortho_scale = 'ORTHO', orthographic
    camera = link(bpy.data.objects.new("Camera", data))
    aim(camera, place, target)
    bpy.context.scene.camera = camera


def aim(thing: Any, place: Vector, target: Vector) -> None:
    """Put a light or a camera somewhere and turn it towards a point."""
    turn = (target - place).to_track_quat('-Z', 'Y')
    thing.matrix_world = Matrix.LocRotScale(place, turn, None)


def link(thing: Any) -> Any:
    """Put an object into the scene and hand it back."""
    bpy.context.scene.collection.objects.link(thing)
    return thing


def image(path: Path) -> Any:
    """An image file as a texture."""
    return bpy.data.images.load(str(path))


def world(colour: tuple[float, float, float], strength: float, *, environment: Any = None) -> None:
    """What is all around: one colour, or an image."""
    made = bpy.data.worlds.new("Surround")
    bpy.context.scene.world = made
    nodes, links = fresh_nodes(made)
    background = nodes.new('ShaderNodeBackground')
    background.inputs["Color"].default_value = (*colour, 1.0)
    background.inputs["Strength"].default_value = strength
    if environment is not None:
        texture = nodes.new('ShaderNodeTexEnvironment')
        texture.image = environment
        links.new(texture.outputs[0], background.inputs["Color"])
    links.new(background.outputs[0], nodes.new('ShaderNodeOutputWorld').inputs[0])


def plain_material(
    name: str, colour: tuple[float, float, float], roughness: float, metallic: float = 0.0
) -> Any:
    """One colour, so that the shape is what one sees."""
    if existing := bpy.data.materials.get(name):
        return existing
    material = bpy.data.materials.new(name)
    nodes, links = fresh_nodes(material)
    surface = nodes.new('ShaderNodeBsdfPrincipled')
    surface.inputs["Base Color"].default_value = (*colour, 1.0)
    surface.inputs["Roughness"].default_value = roughness
    surface.inputs["Metallic"].default_value = metallic
    links.new(surface.outputs[0], nodes.new('ShaderNodeOutputMaterial').inputs[0])
    return material


def picture_material(picture: Any) -> Any:
    """A picture as it is, with its holes."""
    material = bpy.data.materials.new("Picture")
    nodes, links = fresh_nodes(material)
    texture = nodes.new('ShaderNodeTexImage')
    texture.image = picture
    glow, mix = nodes.new('ShaderNodeEmission'), nodes.new('ShaderNodeMixShader')
    links.new(texture.outputs["Color"], glow.inputs[0])
    links.new(texture.outputs["Alpha"], mix.inputs[0])
    links.new(nodes.new('ShaderNodeBsdfTransparent').outputs[0], mix.inputs[1])
    links.new(glow.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], nodes.new('ShaderNodeOutputMaterial').inputs[0])
    return material


def fresh_nodes(owner: Any) -> tuple[Any, Any]:
    """The empty node tree of a material or a world."""
    if owner.node_tree is None:
        owner.use_nodes = True
    owner.node_tree.nodes.clear()
    return owner.node_tree.nodes, owner.node_tree.links
