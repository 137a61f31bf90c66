"""A scene with something for each kind of parameter: built by `build`, then saved as a .blend."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable


def build(path: str) -> None:
    """Save a scene of emitting things, which renders alike everywhere in no time."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.use_denoising, scene.cycles.samples, scene.cycles.seed = False, 4, 7
    scene.render.resolution_x, scene.render.resolution_y = 24, 16
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = 'FIXED', 1
    scene.view_settings.view_transform = 'Standard'
    scene.frame_start, scene.frame_end, scene.render.fps = 1, 5, 10
    for name, colour in (("Red", (1, 0, 0)), ("Blue", (0, 0, 1)), ("Grey", (0.2, 0.2, 0.2))):
        glowing(name, colour)
    picture = glowing("Label", (1, 1, 1))
    node = picture.node_tree.nodes.new('ShaderNodeTexImage')
    node.name = "Image Texture"
    picture.node_tree.links.new(
        node.outputs["Color"], picture.node_tree.nodes["Emission"].inputs["Color"]
    )
    for name, x, material in (("Body", -1.0, "Red"), ("Sign", 1.0, "Label")):
        plane(name, x, bpy.data.materials[material])
    handles = bpy.data.collections.new("Handles")
    scene.collection.children.link(handles)
    handle = plane("Handle", 0.0, bpy.data.materials["Blue"], scale=0.3)
    scene.collection.objects.unlink(handle)
    handles.objects.link(handle)
    text = bpy.data.objects.new("Text", bpy.data.curves.new("Text", 'FONT'))
    text.data.body, text.data.size, text.location = "A", 0.8, (-1.2, -0.3, 0.2)
    text.data.materials.append(bpy.data.materials["Grey"])
    scene.collection.objects.link(text)
    body = bpy.data.objects["Body"]
    for frame, z in ((1, 0.0), (5, 1.0)):
        body.location.z = z
        body.keyframe_insert("location", index=2, frame=frame)
    for name, x in (("Front", 0.0), ("Side", 0.7)):
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        camera.location = (x, 0, 5)
        scene.collection.objects.link(camera)
    scene.camera = bpy.data.objects["Front"]
    bpy.ops.wm.save_as_mainfile(filepath=path)


def glowing(name: str, colour: tuple[float, float, float]) -> Any:
    """A material that gives light of a colour."""
    material = bpy.data.materials.new(name)
    material.use_fake_user = material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    emission, output = nodes.new('ShaderNodeEmission'), nodes.new('ShaderNodeOutputMaterial')
    emission.inputs["Color"].default_value = (*colour, 1.0)
    material.node_tree.links.new(emission.outputs[0], output.inputs[0])
    return material


def plane(name: str, x: float, material: Any, scale: float = 0.7) -> Any:
    """A square that faces the cameras."""
    mesh = bpy.data.meshes.new(name)
    corners = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    mesh.uv_layers.new()
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    thing.location.x, thing.scale = x, (scale, scale, scale)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def with_script(path: str, marker: str) -> None:
    """Save a scene that would write a file as soon as it is opened, and one when it is rendered."""
    build(path)
    text = bpy.data.texts.new("marker.py")
    text.write(f"open({marker!r}, 'w').close()")
    text.use_module = True
    write_when_composited(marker + "-node")
    bpy.ops.wm.save_as_mainfile(filepath=path)


def with_picture(path: str, picture: str) -> None:
    """Save a scene that shows a picture which is in a file of its own."""
    build(path)
    node = bpy.data.materials["Label"].node_tree.nodes["Image Texture"]
    node.image = bpy.data.images.load(picture)
    bpy.ops.wm.save_as_mainfile(filepath=path, relative_remap=False)


def with_library(path: str, library: str) -> None:
    """Save a scene that uses a material of another file."""
    build(path)
    with bpy.data.libraries.load(library, link=True) as (found, wanted):
        wanted.materials = [name for name in found.materials if name == "Grey"]
    bpy.data.objects["Sign"].material_slots[0].material = wanted.materials[0]
    bpy.ops.wm.save_as_mainfile(filepath=path, relative_remap=False)


def write_when_composited(folder: str) -> None:
    """Give the scene a compositor that writes a file of its own."""
    scene = bpy.context.scene
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new("Compositing", 'CompositorNodeTree')
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out='OUTPUT', socket_type='NodeSocketColor')
        end = tree.nodes.new('NodeGroupOutput')
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        end = tree.nodes["Composite"]
    layers = tree.nodes.new('CompositorNodeRLayers')
    writer = tree.nodes.new('CompositorNodeOutputFile')
    if hasattr(writer, "directory"):
        writer.directory = folder
        writer.file_output_items.new('RGBA', "Image")
    else:
        writer.base_path = folder
    for node in (end, writer):
        tree.links.new(layers.outputs["Image"], node.inputs[0])


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {
        "build": build,
        "with_library": with_library,
        "with_picture": with_picture,
        "with_script": with_script,
    }
    commands[sys.argv[1]](*sys.argv[2:])
