"""A template with a parameter of each kind, which sets only what it is asked to."""

from __future__ import annotations

from typing import Annotated

import bpy

import aiobpy


@aiobpy.template(scene="studio.blend", warm_up={"colour": "#00ff00"})
def shop(
    colour: aiobpy.Colour | None = None,
    material: aiobpy.Material | None = None,
    label: aiobpy.Texture | None = None,
    text: aiobpy.Text | None = None,
    handle: Annotated[bool, aiobpy.Shows("Handles")] = True,
    camera: aiobpy.Camera | None = None,
    moved: float = 0.0,
    spoil: str = "",
) -> None:
    """A thing on offer.

    Args:
        spoil: What a template should not do.
    """
    body = bpy.data.objects["Body"]
    if colour is not None:
        channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        node = bpy.data.materials["Red"].node_tree.nodes["Emission"]
        node.inputs["Color"].default_value = (*channels, 1.0)
    if material is not None:
        material.assign_to("Body")
    if label is not None:
        label.put_on("Label")
    if text is not None:
        bpy.data.objects["Text"].data.body = text
    if camera is not None:
        camera.use()
    if moved:
        body.location.x += moved
    if spoil == "vertices":
        body.data.vertices[0].co.x -= 3
    if spoil == "new things":
        twin = body.copy()
        twin.location.y = 2
        bpy.context.scene.collection.objects.link(twin)
        body.modifiers.new("Array", 'ARRAY')
    if spoil == "gone":
        bpy.data.objects.remove(bpy.data.objects["Handle"])
    if spoil == "settings":
        scene = bpy.context.scene
        scene["note"], body["size"] = "left behind", 3.0
        scene.view_settings.exposure = 2.0
        scene.render.film_transparent = True
        scene.render.resolution_percentage = 50
        scene.view_layers[0].layer_collection.children["Handles"].exclude = True
    if spoil == "nodes":
        tree = bpy.data.materials["Blue"].node_tree
        tree.links.remove(tree.links[0])
