"""Builds product.blend: an insulated camp mug in a photo studio.

    python examples/product_configurator/build_scene.py [product.blend]

Everything is made here, from numbers: no image, no download, no add-on. One Blender unit is 10 cm.
The mug stands on the origin, its handle points to +X and its text faces -Y, where the cameras are.

What the template (`product.py`) changes has a name that it can rely on: the materials `Coat`,
`Lid`, `Engraving` and `Backdrop`, the node group `Engraving` and the cameras.
"""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
from mathutils import Matrix, Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

RADIUS_AT_FOOT = 0.385
"""Radius of the coated wall, if it went straight down to z = 0."""
TAPER = 0.052
"""How much the wall's radius grows for each unit of height."""
COAT_BOTTOM, COAT_TOP, LIP = 0.03, 1.0, 1.115
TEXT_TURN = -0.13
"""Where the middle of the text is, in radians from the front: a little towards the hero camera."""
COASTER_ROPE, COASTER_RADIUS = 0.062, 0.62
"""The rope's thickness and the coaster's radius."""
BEANS = (
    # x, y, turn, tilt: most lie on their flat side, some on their back.
    (-0.86, -0.42, 25.0, 180.0),
    (-0.76, -0.60, 100.0, 8.0),
    (-0.97, -0.63, 160.0, 172.0),
    (-0.62, -0.78, 65.0, 185.0),
    (-1.12, -0.36, 80.0, 12.0),
    (-0.44, -0.93, 20.0, -6.0),
    (0.62, -0.72, 140.0, 4.0),
    (0.78, -0.58, 30.0, 178.0),
)
SEGMENTS = 64
"""Around the axis, before subdivision."""


class Camera(NamedTuple):
    """A camera by what it looks at; lens in millimetres on a 36 mm sensor."""

    name: str
    location: tuple[float, float, float]
    target: tuple[float, float, float]
    lens: float
    f_stop: float


CAMERAS = (
    Camera("hero", (-1.15, -4.75, 1.95), (0.02, 0.0, 0.50), 90.0, 8.0),
    Camera("front", (0.0, -5.2, 0.85), (0.10, 0.0, 0.55), 85.0, 8.0),
    Camera("top", (-0.85, -2.5, 3.9), (0.06, 0.0, 0.62), 84.0, 8.0),
    Camera("detail", (-0.85, -2.7, 1.15), (0.0, -0.30, 0.60), 88.0, 5.6),
)


def main(path: Path) -> None:
    """Build the scene and save it, compressed, at `path`."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.name = "Studio"
    build_mug(collection("Mug"))
    build_table(collection("Table"))
    build_studio(collection("Studio"))
    set_up_render(scene)
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)


def build_mug(into: Any) -> None:
    """Body, lip, foot, handle, lid with its slider, seal and drinking slot, and the engraving."""
    coat, steel = coat_material(), steel_material()
    subdivide(add(into, lathe("Body", coat_profile()), coat), 2)
    subdivide(add(into, lathe("Lip", lip_profile()), steel), 2)
    subdivide(add(into, lathe("Foot", foot_profile()), rubber_material()), 1)
    subdivide(add(into, handle_mesh(), coat), 2)
    build_lid(into, steel)
    build_text(into)


def build_table(into: Any) -> None:
    """What the mug stands among: a coaster of twisted jute and a few coffee beans."""
    build_coaster(into)
    build_beans(into)


def build_coaster(into: Any) -> None:
    """Three strands twisted around one another along a flat spiral, as real geometry."""
    rope = bpy.data.curves.new("Coaster", 'CURVE')
    rope.dimensions = '3D'
    rope.bevel_depth, rope.bevel_resolution, rope.use_fill_caps = COASTER_ROPE * 0.27, 2, True
    for strand in range(3):
        points = rope_points(strand)
        spline = rope.splines.new('POLY')
        spline.points.add(len(points) - 1)
        spline.points.foreach_set("co", [value for point in points for value in (*point, 1.0)])
        spline.use_smooth = True
    coaster = add(into, rope, jute_material())
    coaster.location.z = -COASTER_ROPE


def rope_points(strand: int) -> list[tuple[float, float, float]]:
    """One strand of the coaster's rope, from the middle of the spiral to its edge."""
    points = []
    angle, twist = math.tau * 1.2, math.tau * strand / 3
    while (radius := COASTER_ROPE * angle / math.tau) < COASTER_RADIUS:
        side = COASTER_ROPE * 0.27 * math.cos(twist)
        points.append(
            (
                (radius + side) * math.cos(angle),
                (radius + side) * math.sin(angle),
                COASTER_ROPE * (0.5 + 0.27 * math.sin(twist)),
            )
        )
        step = COASTER_ROPE * 0.1
        angle += step / radius
        twist += math.tau * step / (COASTER_ROPE * 2.4)
    return points


def build_beans(into: Any) -> None:
    """Roasted beans, one mesh for all, scattered as they fell."""
    bean, roast = bean_mesh(), roast_material()
    for index, (x, y, turn, tilt) in enumerate(BEANS):
        thing = add(into, bean, roast if index == 0 else None)
        thing.location = (x, y, -COASTER_ROPE + 0.032)
        thing.rotation_euler = (math.radians(tilt), 0.0, math.radians(turn))
        subdivide(thing, 1)


def bean_mesh() -> Any:
    """Half an egg with a furrow along its flat side."""
    vertices, around, along = [], 16, 12
    for row in range(1, along):
        length = math.pi * row / along
        for column in range(around):
            angle = math.tau * column / around
            x, z = math.sin(length) * math.cos(angle), math.sin(length) * math.sin(angle)
            flat = 0.32 * z if z > 0 else z
            furrow = 0.22 * math.exp(-((x / 0.16) ** 2)) * math.sin(length) if z > 0 else 0.0
            vertices.append((0.046 * x, -0.062 * math.cos(length), 0.032 * (flat - furrow)))
    first, last = len(vertices), len(vertices) + 1
    vertices += [(0.0, -0.062, 0.0), (0.0, 0.062, 0.0)]
    faces: list[tuple[int, ...]] = [
        (row + c, row + (c + 1) % around, row + around + (c + 1) % around, row + around + c)
        for row in range(0, around * (along - 2), around)
        for c in range(around)
    ]
    end = around * (along - 2)
    faces += [(first, (c + 1) % around, c) for c in range(around)]
    faces += [(last, end + c, end + (c + 1) % around) for c in range(around)]
    return outward(mesh("Bean", vertices, faces))


def wall_radius(z: float) -> float:
    """Radius of the coated wall at a height."""
    return RADIUS_AT_FOOT + TAPER * z


def coat_profile() -> list[tuple[float, float]]:
    """The powder-coated wall, from under the foot to the edge where the steel lip begins.

    Neighbouring points that lie close together keep an edge crisp under subdivision.
    """
    foot = wall_radius(COAT_BOTTOM)
    rounding = [
        (foot - 0.06 * (1 - math.sin(angle)), COAT_BOTTOM + 0.06 * (1 - math.cos(angle)))
        for angle in (math.radians(degrees) for degrees in (0, 30, 60, 90))
    ]
    wall = [(wall_radius(z), z) for z in (0.13, 0.3, 0.5, 0.7, 0.88, 0.975, COAT_TOP - 0.006)]
    edge = [(wall_radius(COAT_TOP) - 0.004, COAT_TOP), (wall_radius(COAT_TOP) - 0.02, COAT_TOP)]
    return [(0.28, COAT_BOTTOM), *rounding, *wall, *edge]


def lip_profile() -> list[tuple[float, float]]:
    """The bare steel: out of the coat, over the rolled lip and down the inner wall."""
    outer, inner = wall_radius(COAT_TOP) - 0.011, wall_radius(COAT_TOP) - 0.052
    middle, roll = (outer + inner) / 2, (outer - inner) / 2
    rolled = [
        (middle + roll * math.cos(angle), LIP - roll + roll * math.sin(angle))
        for angle in (math.radians(degrees) for degrees in (0, 36, 72, 108, 144, 180))
    ]
    outside = [(outer, COAT_TOP - 0.03), (outer, COAT_TOP), (outer, COAT_TOP + 0.02)]
    return [*outside, (outer, COAT_TOP + 0.06), *rolled, (inner, 1.0), (inner - 0.01, 0.8)]


def foot_profile() -> list[tuple[float, float]]:
    """A thin rubber ring on which the mug stands, so that it throws a contact shadow."""
    return [(0.2, 0.0), (0.3, 0.0), (0.335, 0.0), (0.342, 0.006), (0.342, 0.032), (0.3, 0.034)]


def handle_mesh() -> Any:
    """A strap swept along a rounded D, thicker where it meets the wall."""
    path = handle_path()
    around = [
        (0.5 * signed_power(math.cos(angle), 0.55), 0.5 * signed_power(math.sin(angle), 0.55))
        for angle in (math.tau * step / 16 for step in range(16))
    ]
    vertices: list[Vector] = []
    for index, point in enumerate(path):
        before, after = path[max(index - 1, 0)], path[min(index + 1, len(path) - 1)]
        along = (after - before).normalized()
        outward = along.cross(Vector((0.0, 1.0, 0.0))).normalized()
        flare = 1.0 + 0.55 * max(0.0, 1.0 - min(index, len(path) - 1 - index) / 3.0) ** 2
        vertices += [
            point + Vector((0.0, 0.17 * flare * y, 0.0)) + outward * (0.066 * flare * x)
            for x, y in around
        ]
    count = len(around)
    faces = [
        (
            ring + side,
            ring + (side + 1) % count,
            ring + count + (side + 1) % count,
            ring + count + side,
        )
        for ring in range(0, len(vertices) - count, count)
        for side in range(count)
    ]
    return mesh("Handle", vertices, faces)


def handle_path() -> list[Vector]:
    """From the wall near the lip, out, down and back to the wall, in the plane y = 0."""
    high, low, reach, corner = 0.885, 0.265, 0.80, 0.15
    upper = [
        Vector(
            (
                reach - corner + corner * math.sin(angle),
                0.0,
                high - corner + corner * math.cos(angle),
            )
        )
        for angle in (math.radians(degrees) for degrees in range(0, 91, 15))
    ]
    lower = [
        Vector(
            (
                reach - 0.03 - corner + corner * math.cos(angle),
                0.0,
                low + corner - corner * math.sin(angle),
            )
        )
        for angle in (math.radians(degrees) for degrees in range(0, 91, 15))
    ]
    start = [Vector((x, 0.0, high)) for x in (0.40, 0.45, 0.50, 0.56)]
    middle = [Vector((reach - 0.03 * part, 0.0, 0.735 - 0.32 * part)) for part in (0.25, 0.5, 0.75)]
    end = [Vector((x, 0.0, low)) for x in (0.56, 0.50, 0.44, 0.38)]
    return [*start, *upper, *middle, *lower, *end]


def signed_power(value: float, exponent: float) -> float:
    """A superellipse's side: keeps the sign, flattens the curve."""
    return math.copysign(abs(value) ** exponent, value)


def build_lid(into: Any, steel: Any) -> None:
    """A press-in lid: raised rim, recessed deck, drinking slot, slider on a track."""
    lid_material = plastic_material("Lid", (0.012, 0.012, 0.014))
    lid = add(into, lathe("Lid", lid_profile()), lid_material)
    subdivide(lid, 2)
    cut(lid, rounded_box("Slot", (0.0, -0.245, 1.12), (0.17, 0.062, 0.4), 0.03))
    cut(lid, rounded_box("Track", (0.0, 0.03, 1.157), (0.15, 0.42, 0.06), 0.05))
    cut(lid, rounded_box("Vent", (0.0, 0.285, 1.12), (0.022, 0.022, 0.4), 0.0109))
    cut(lid, moulded_text("Left of the track", "HOT", (-0.2, 0.03, 1.1385), 90.0))
    cut(lid, moulded_text("Right of the track", "350 ML", (0.2, 0.03, 1.1385), -90.0))
    shade_by_angle(lid)
    slider = add(
        into, rounded_box("Slider", (0.0, 0.075, 1.147), (0.128, 0.21, 0.05), 0.03), lid_material
    )
    bevel = slider.modifiers.new("Bevel", 'BEVEL')
    bevel.width, bevel.segments = 0.008, 3
    shade_by_angle(slider)
    subdivide(add(into, lathe("Slider pin", pin_profile(), centre=(0.0, 0.075)), steel), 1)
    subdivide(add(into, lathe("Seal", seal_profile()), rubber_material()), 1)


def moulded_text(name: str, text: str, place: tuple[float, float, float], turn: float) -> Any:
    """Letters as a shape to cut with, lying flat."""
    curve = bpy.data.curves.new(name, 'FONT')
    curve.body, curve.size, curve.extrude = text, 0.075, 0.012
    curve.align_x, curve.align_y, curve.resolution_u = 'CENTER', 'CENTER', 3
    writing = bpy.data.objects.new(name, curve)
    writing.matrix_world = Matrix.Translation(place) @ Matrix.Rotation(math.radians(turn), 4, 'Z')
    made = bpy.data.meshes.new_from_object(writing)
    made.transform(writing.matrix_world)
    made.materials.clear()
    made.name = name
    bpy.data.objects.remove(writing)
    bpy.data.curves.remove(curve)
    return made


def lid_profile() -> list[tuple[float, float]]:
    """From the axis over the deck and the raised rim, and down the outside to the seal."""
    rim = wall_radius(COAT_TOP) - 0.004
    deck = [(0.0, 1.142), (0.1, 1.142), (0.2, 1.142), (0.3, 1.142), (0.325, 1.143)]
    slope = [(0.337, 1.147), (0.352, 1.172), (0.362, 1.184)]
    crest = [(rim - 0.045, 1.19), (rim - 0.014, 1.188), (rim - 0.002, 1.176), (rim, 1.16)]
    skirt = [
        (rim, 1.135),
        (rim - 0.002, 1.124),
        (rim - 0.012, 1.121),
        (0.375, 1.121),
        (0.374, 1.03),
    ]
    return [*deck, *slope, *crest, *skirt, (0.36, 1.02), (0.2, 1.02), (0.0, 1.02)]


def pin_profile() -> list[tuple[float, float]]:
    """The slider's steel thumb pin."""
    return [
        (0.0, 1.194),
        (0.02, 1.194),
        (0.03, 1.192),
        (0.034, 1.186),
        (0.034, 1.17),
        (0.034, 1.16),
    ]


def seal_profile() -> list[tuple[float, float]]:
    """The silicone ring between the lid and the lip."""
    rim = wall_radius(COAT_TOP) - 0.018
    return [
        (0.36, 1.112),
        (rim - 0.006, 1.112),
        (rim, 1.114),
        (rim, 1.121),
        (rim - 0.006, 1.123),
        (0.36, 1.123),
    ]


def build_text(into: Any) -> None:
    """The engraving: Geometry Nodes that write a string, fill it and wrap it around the wall.

    A template sets the values of nodes; nothing has to be built again for another text.
    """
    engraving = add(into, bpy.data.meshes.new("Engraved text"), engraving_material())
    modifier = engraving.modifiers.new("Engraving", 'NODES')
    modifier.node_group = engraving_nodes(engraving.data.materials[0])


def engraving_nodes(material: Any) -> Any:
    """A mesh on the wall, from the values of the nodes `Text`, `Size` and `Height`."""
    tree = bpy.data.node_groups.new("Engraving", 'GeometryNodeTree')
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out='OUTPUT', socket_type='NodeSocketGeometry')
    text = named(tree.nodes.new('FunctionNodeInputString'), "Text")
    text.string = "AIOBPY"
    size, height = (named(tree.nodes.new('ShaderNodeValue'), name) for name in ("Size", "Height"))
    size.outputs[0].default_value, height.outputs[0].default_value = 0.2, 0.57

    write = tree.nodes.new('GeometryNodeStringToCurves')
    set_choice(write, "align_x", "Align X", 'CENTER', "Center")
    set_choice(write, "align_y", "Align Y", 'MIDDLE', "Middle")
    tree.links.new(text.outputs[0], write.inputs["String"])
    tree.links.new(size.outputs[0], write.inputs["Size"])
    write.inputs["Character Spacing"].default_value = 1.12
    geometry = write.outputs["Curve Instances"]

    def then(kind: str, output: str, **values: Any) -> Any:
        nonlocal geometry
        node = tree.nodes.new(kind)
        for name, value in values.items():
            node.inputs[name.replace("_", " ").title()].default_value = value
        tree.links.new(geometry, node.inputs[0])
        geometry = node.outputs[output]
        return node

    then('GeometryNodeRealizeInstances', "Geometry")
    then('GeometryNodeFillCurve', "Mesh")
    then('GeometryNodeSubdivideMesh', "Mesh", level=3)
    wrap = then('GeometryNodeSetPosition', "Geometry")
    tree.links.new(wrapped_position(tree, height.outputs[0]), wrap.inputs["Position"])
    then('GeometryNodeSetShadeSmooth', "Geometry")
    then('GeometryNodeSetMaterial', "Geometry", material=material)
    tree.links.new(geometry, tree.nodes.new('NodeGroupOutput').inputs[0])
    return tree


def wrapped_position(tree: Any, height: Any) -> Any:
    """(x, y) on paper becomes an angle and a height on the tapered wall, a hair outside it."""
    paper = tree.nodes.new('ShaderNodeSeparateXYZ')
    tree.links.new(tree.nodes.new('GeometryNodeInputPosition').outputs[0], paper.inputs[0])

    def maths(operation: str, first: Any, second: Any = 0.0) -> Any:
        node = tree.nodes.new('ShaderNodeMath')
        node.operation = operation
        for socket, value in zip(node.inputs, (first, second), strict=False):
            if isinstance(value, float):
                socket.default_value = value
            else:
                tree.links.new(value, socket)
        return node.outputs[0]

    z = maths('ADD', paper.outputs["Y"], height)
    radius = maths('ADD', maths('MULTIPLY', z, TAPER), RADIUS_AT_FOOT + 0.0012)
    angle = maths('ADD', maths('DIVIDE', paper.outputs["X"], radius), TEXT_TURN)
    point = tree.nodes.new('ShaderNodeCombineXYZ')
    tree.links.new(maths('MULTIPLY', radius, maths('SINE', angle)), point.inputs["X"])
    tree.links.new(
        maths('MULTIPLY', maths('MULTIPLY', radius, maths('COSINE', angle)), -1.0),
        point.inputs["Y"],
    )
    tree.links.new(z, point.inputs["Z"])
    return point.outputs[0]


def named(node: Any, name: str) -> Any:
    """A node by which a template can find it."""
    node.name = node.label = name
    return node


def set_choice(node: Any, attribute: str, socket: str, value: str, label: str) -> None:
    """Set an enumeration that newer Blenders keep in a menu socket and older ones on the node."""
    if hasattr(node, attribute):
        setattr(node, attribute, value)
    else:
        node.inputs[socket].default_value = label


def coat_material() -> Any:
    """Powder coat: fine orange peel in the surface, none of it in the colour."""
    if existing := bpy.data.materials.get("Coat"):
        return existing
    material, surface = principled("Coat", base_color=(0.55, 0.035, 0.02, 1.0), roughness=0.42)
    surface.inputs["Coat Roughness"].default_value = 0.04
    nodes, links = material.node_tree.nodes, material.node_tree.links
    peel = nodes.new('ShaderNodeTexNoise')
    peel.inputs["Scale"].default_value = 95.0
    peel.inputs["Detail"].default_value = 2.0
    links.new(nodes.new('ShaderNodeTexCoord').outputs["Object"], peel.inputs["Vector"])
    links.new(
        bump(nodes, links, peel.outputs[0], strength=0.22, distance=0.004), surface.inputs["Normal"]
    )
    return material


def steel_material() -> Any:
    """Steel brushed around the axis: streaks that run round, highlights drawn out along it."""
    if existing := bpy.data.materials.get("Steel"):
        return existing
    material, surface = principled("Steel", base_color=(0.66, 0.65, 0.63, 1.0), metallic=1.0)
    surface.inputs["Anisotropic"].default_value = 0.6
    nodes, links = material.node_tree.nodes, material.node_tree.links
    tangent = nodes.new('ShaderNodeTangent')
    tangent.direction_type, tangent.axis = 'RADIAL', 'Z'
    links.new(tangent.outputs[0], surface.inputs["Tangent"])
    streaks = nodes.new('ShaderNodeTexNoise')
    streaks.inputs["Scale"].default_value = 3.0
    streaks.inputs["Detail"].default_value = 3.0
    stretch = nodes.new('ShaderNodeMapping')
    stretch.inputs["Scale"].default_value = (1.0, 1.0, 160.0)
    links.new(nodes.new('ShaderNodeTexCoord').outputs["Object"], stretch.inputs["Vector"])
    links.new(stretch.outputs[0], streaks.inputs["Vector"])
    roughness = nodes.new('ShaderNodeMapRange')
    roughness.inputs["To Min"].default_value, roughness.inputs["To Max"].default_value = 0.16, 0.40
    links.new(streaks.outputs[0], roughness.inputs["Value"])
    links.new(roughness.outputs[0], surface.inputs["Roughness"])
    return material


def engraving_material() -> Any:
    """What the laser leaves: bare steel, evenly matt."""
    return principled(
        "Engraving", base_color=(0.78, 0.77, 0.75, 1.0), roughness=0.42, metallic=1.0
    )[0]


def plastic_material(name: str, colour: tuple[float, float, float]) -> Any:
    """Moulded plastic with a faint grain."""
    material, surface = principled(name, base_color=(*colour, 1.0), roughness=0.34)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    grain = nodes.new('ShaderNodeTexNoise')
    grain.inputs["Scale"].default_value = 220.0
    links.new(nodes.new('ShaderNodeTexCoord').outputs["Object"], grain.inputs["Vector"])
    links.new(
        bump(nodes, links, grain.outputs[0], strength=0.08, distance=0.002),
        surface.inputs["Normal"],
    )
    return material


def jute_material() -> Any:
    """Raw fibre: no shine, a colour that changes from strand to strand."""
    material, surface = principled("Jute", base_color=(0.42, 0.28, 0.15, 1.0), roughness=0.85)
    surface.inputs["Specular IOR Level"].default_value = 0.15
    nodes, links = material.node_tree.nodes, material.node_tree.links
    fibre = nodes.new('ShaderNodeTexNoise')
    fibre.inputs["Scale"].default_value = 38.0
    links.new(nodes.new('ShaderNodeTexCoord').outputs["Object"], fibre.inputs["Vector"])
    ramp = nodes.new('ShaderNodeValToRGB')
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
    ramp.color_ramp.elements[0].color = (0.27, 0.165, 0.08, 1.0)
    ramp.color_ramp.elements[1].color = (0.56, 0.40, 0.23, 1.0)
    links.new(fibre.outputs[0], ramp.inputs[0])
    links.new(ramp.outputs[0], surface.inputs["Base Color"])
    return material


def roast_material() -> Any:
    """Dark roast, a little oily."""
    return principled("Roast", base_color=(0.055, 0.022, 0.010, 1.0), roughness=0.36)[0]


def backdrop_material() -> Any:
    """Matt paper. Plain diffuse, as it fills most of the picture and is cheap to shade."""
    material = bpy.data.materials.new("Backdrop")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.remove(nodes["Principled BSDF"])
    paper = nodes.new('ShaderNodeBsdfDiffuse')
    paper.inputs["Color"].default_value = (0.80, 0.77, 0.73, 1.0)
    material.node_tree.links.new(paper.outputs[0], nodes["Material Output"].inputs["Surface"])
    return material


def rubber_material() -> Any:
    """The seal and the foot."""
    if existing := bpy.data.materials.get("Rubber"):
        return existing
    return principled("Rubber", base_color=(0.025, 0.025, 0.027, 1.0), roughness=0.6)[0]


def principled(name: str, **inputs: Any) -> tuple[Any, Any]:
    """A new material and its Principled BSDF, with the given inputs set."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"]
    for key, value in inputs.items():
        surface.inputs[key.replace("_", " ").title()].default_value = value
    return material, surface


def bump(nodes: Any, links: Any, height: Any, *, strength: float, distance: float) -> Any:
    """A bump node's normal output."""
    node = nodes.new('ShaderNodeBump')
    node.inputs["Strength"].default_value = strength
    node.inputs["Distance"].default_value = distance
    links.new(height, node.inputs["Height"])
    return node.outputs[0]


def build_studio(into: Any) -> None:
    """A paper sweep, three soft boxes, a dim surround and the cameras."""
    sweep = add(into, sweep_mesh(), backdrop_material())
    sweep.location.z = -COASTER_ROPE
    subdivide(sweep, 2)
    soft_box(into, "Key", (-3.2, -1.6, 2.9), size=(1.5, 2.6), power=210.0)
    soft_box(into, "Strip", (3.0, 0.3, 1.5), size=(0.7, 3.2), power=120.0)
    soft_box(into, "Top", (0.2, 0.7, 4.4), size=(3.4, 1.8), power=110.0, target=(0.0, 0.3, 0.6))
    world = bpy.data.worlds.new("Surround")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.86, 0.93, 1.0, 1.0)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.22
    bpy.context.scene.world = world
    for camera in CAMERAS:
        add_camera(into, camera)
    bpy.context.scene.camera = bpy.data.objects["hero"]


def sweep_mesh() -> Any:
    """A sheet of paper that lies under the mug, bends up behind it and stands."""
    radius, depth = 2.2, 3.2
    bend = [
        (depth + radius * math.sin(angle), radius - radius * math.cos(angle))
        for angle in (math.radians(degrees) for degrees in range(0, 91, 15))
    ]
    profile = [
        (-9.0, 0.0),
        (-3.0, 0.0),
        (0.0, 0.0),
        *bend,
        (depth + radius, 6.0),
        (depth + radius, 12.0),
    ]
    vertices = [Vector((x, y, z)) for y, z in profile for x in (-12.0, -4.0, 4.0, 12.0)]
    faces = [
        (row + column, row + column + 1, row + column + 5, row + column + 4)
        for row in range(0, 4 * (len(profile) - 1), 4)
        for column in range(3)
    ]
    return mesh("Sweep", vertices, faces)


def soft_box(
    into: Any,
    name: str,
    location: tuple[float, float, float],
    *,
    size: tuple[float, float],
    power: float,
    target: tuple[float, float, float] = (0.0, 0.0, 0.6),
) -> None:
    """A rectangular area light that looks at the mug."""
    light = bpy.data.lights.new(name, 'AREA')
    light.shape, light.energy = 'RECTANGLE', power
    light.size, light.size_y = size
    place(add(into, light), location, target)


def add_camera(into: Any, camera: Camera) -> None:
    """A camera that looks at its target and is sharp there."""
    data = bpy.data.cameras.new(camera.name)
    data.lens = camera.lens
    data.dof.use_dof = True
    data.dof.focus_distance = (Vector(camera.target) - Vector(camera.location)).length - 0.35
    # One unit is 10 cm and Blender takes units for metres: the aperture has to follow.
    data.dof.aperture_fstop = camera.f_stop * 2.0
    place(add(into, data), camera.location, camera.target)


def set_up_render(scene: Any) -> None:
    """Cycles on the CPU, few samples and a denoiser: a shop's picture in seconds."""
    scene.render.engine = 'CYCLES'
    scene.cycles.device = 'CPU'
    scene.cycles.samples = 32
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold = 0.1
    scene.cycles.adaptive_min_samples = 8
    scene.cycles.use_denoising = True
    scene.cycles.denoiser = 'OPENIMAGEDENOISE'
    # A fifth of the time of the defaults, and no difference to see at these sizes.
    scene.cycles.denoising_quality = 'BALANCED'
    scene.cycles.denoising_prefilter = 'FAST'
    # For hundreds of lights; with three it only takes time.
    scene.cycles.use_light_tree = False
    scene.cycles.max_bounces = 6
    scene.cycles.diffuse_bounces = 3
    scene.cycles.glossy_bounces = 3
    scene.cycles.caustics_reflective = False
    scene.cycles.caustics_refractive = False
    scene.render.use_persistent_data = True
    scene.render.resolution_x = scene.render.resolution_y = 640
    scene.render.resolution_percentage = 100
    # Made for shops: a customer's colour stays the colour that was asked for.
    scene.view_settings.view_transform = 'Khronos PBR Neutral'
    scene.render.image_settings.file_format = 'PNG'


def collection(name: str) -> Any:
    """A new collection in the scene."""
    made = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(made)
    return made


def add(into: Any, data: Any, material: Any = None) -> Any:
    """An object of `data`, named like it, in a collection."""
    made = bpy.data.objects.new(data.name, data)
    into.objects.link(made)
    if material is not None:
        data.materials.append(material)
    return made


def place(
    thing: Any, location: tuple[float, float, float], target: tuple[float, float, float]
) -> None:
    """Put a light or camera somewhere and turn it towards a point."""
    toward = Vector(target) - Vector(location)
    thing.matrix_world = Matrix.LocRotScale(Vector(location), toward.to_track_quat('-Z', 'Y'), None)


def mesh(name: str, vertices: Sequence[Any], faces: Sequence[Any]) -> Any:
    """A smooth mesh with its normals outside."""
    made = bpy.data.meshes.new(name)
    made.from_pydata([tuple(vertex) for vertex in vertices], [], faces)
    made.validate()
    made.shade_smooth()
    return made


def lathe(
    name: str, profile: Sequence[tuple[float, float]], centre: tuple[float, float] = (0.0, 0.0)
) -> Any:
    """Turn a profile of (radius, height) points around the Z axis; a radius of 0 is a pole."""
    vertices: list[tuple[float, float, float]] = []
    rings: list[list[int]] = []
    for radius, z in profile:
        first, count = len(vertices), SEGMENTS if radius else 1
        vertices += [
            (
                centre[0] + radius * math.cos(math.tau * step / count),
                centre[1] + radius * math.sin(math.tau * step / count),
                z,
            )
            for step in range(count)
        ]
        rings.append([first + step % count for step in range(SEGMENTS + 1)])
    faces = [
        # At a pole, two of the four corners are one.
        tuple(dict.fromkeys((lower[step], lower[step + 1], upper[step + 1], upper[step])))
        for lower, upper in pairwise(rings)
        for step in range(SEGMENTS)
    ]
    return outward(mesh(name, vertices, faces))


def outward(data: Any) -> Any:
    """Make the faces agree on which side is out."""
    import bmesh  # It comes with bpy and is not there before it.

    editable = bmesh.new()
    editable.from_mesh(data)
    bmesh.ops.recalc_face_normals(editable, faces=editable.faces)
    editable.to_mesh(data)
    editable.free()
    return data


def rounded_box(
    name: str, centre: tuple[float, float, float], size: tuple[float, float, float], radius: float
) -> Any:
    """A box whose vertical edges are rounded."""
    corners = []
    for quarter, (sign_x, sign_y) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for degrees in range(0, 91, 15):
            angle = math.radians(90 * quarter + degrees)
            corners.append(
                (
                    centre[0] + sign_x * (size[0] / 2 - radius) + radius * math.cos(angle),
                    centre[1] + sign_y * (size[1] / 2 - radius) + radius * math.sin(angle),
                )
            )
    low, high = centre[2] - size[2] / 2, centre[2] + size[2] / 2
    count = len(corners)
    vertices = [(x, y, z) for z in (low, high) for x, y in corners]
    sides = [(i, (i + 1) % count, count + (i + 1) % count, count + i) for i in range(count)]
    faces = [tuple(reversed(range(count))), tuple(range(count, 2 * count)), *sides]
    return outward(mesh(name, vertices, faces))


def subdivide(thing: Any, levels: int) -> Any:
    """Catmull-Clark, as much in the viewport as in the render."""
    modifier = thing.modifiers.new("Subdivision", 'SUBSURF')
    modifier.levels = modifier.render_levels = levels
    return thing


def cut(thing: Any, cutter_mesh: Any) -> None:
    """Take a shape out of an object; it stays a modifier, so that the shape can still be moved."""
    cutter = add(thing.users_collection[0], cutter_mesh)
    cutter.hide_render, cutter.display_type = True, 'WIRE'
    modifier = thing.modifiers.new(cutter.name, 'BOOLEAN')
    modifier.operation, modifier.object, modifier.solver = 'DIFFERENCE', cutter, 'EXACT'


def shade_by_angle(thing: Any) -> None:
    """Smooth where the surface is smooth, crisp where two faces meet at more than 35 degrees."""
    tree = bpy.data.node_groups.get("Shade by angle") or shade_by_angle_nodes()
    thing.modifiers.new("Shade by angle", 'NODES').node_group = tree
    thing.modifiers.new("Weighted normals", 'WEIGHTED_NORMAL').keep_sharp = True


def shade_by_angle_nodes() -> Any:
    """What `shade_smooth_by_angle` does, as a modifier that follows the ones before it."""
    tree = bpy.data.node_groups.new("Shade by angle", 'GeometryNodeTree')
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out='INPUT', socket_type='NodeSocketGeometry')
    tree.interface.new_socket("Geometry", in_out='OUTPUT', socket_type='NodeSocketGeometry')
    faces, edges = (tree.nodes.new('GeometryNodeSetShadeSmooth') for _ in range(2))
    edges.domain = 'EDGE'
    flat = tree.nodes.new('ShaderNodeMath')
    flat.operation = 'LESS_THAN'
    flat.inputs[1].default_value = math.radians(35.0)
    tree.links.new(tree.nodes.new('GeometryNodeInputMeshEdgeAngle').outputs[0], flat.inputs[0])
    tree.links.new(flat.outputs[0], edges.inputs["Shade Smooth"])
    tree.links.new(tree.nodes.new('NodeGroupInput').outputs[0], faces.inputs[0])
    tree.links.new(faces.outputs[0], edges.inputs[0])
    tree.links.new(edges.outputs[0], tree.nodes.new('NodeGroupOutput').inputs[0])
    return tree


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).resolve()
        if len(sys.argv) > 1
        else Path(__file__).resolve().parent / "product.blend"
    )
