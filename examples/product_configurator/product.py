"""The template of the product configurator: an insulated camp mug.

The scene is loaded once and stays loaded; for each job, this function sets what the customer chose.
Whatever it sets, it sets every time, so that no job shows what the job before it chose.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import bpy

import aiobpy

# Roughness of the coat, how metallic it is, a clear coat over it, depth of the orange peel.
FINISHES = {
    "powder": (0.46, 0.0, 0.0, 0.26),
    "gloss": (0.22, 0.0, 1.0, 0.0),
    "metallic": (0.30, 0.85, 0.6, 0.06),
}
STEEL, DARK_MARK = (0.78, 0.77, 0.75), (0.085, 0.082, 0.08)


# The lid is cut by five exact booleans, which take longer than a picture.
@aiobpy.template(scene="product.blend", apply_modifiers=["Lid"])
def mug(
    colour: aiobpy.Colour = "#d13b2a",
    finish: Literal["powder", "gloss", "metallic"] = "powder",
    text: Annotated[str, aiobpy.MaxLength(16)] = "AIOBPY",
    text_size: Annotated[float, aiobpy.Range(0.5, 1.5)] = 1.0,
    lid: aiobpy.Colour = "#1b1c1f",
    backdrop: aiobpy.Colour = "#e8e4dd",
    camera: Literal["hero", "front", "top", "detail"] = "hero",
) -> None:
    """A powder-coated steel mug with a press-in lid, on a jute coaster in a photo studio.

    Args:
        colour: Of the coat on the body and the handle.
        finish: Of the coat: matt powder, clear-coated gloss, or metallic lacquer.
        text: Engraved into the coat, so that the steel shows; may be empty.
        text_size: How large the text is, relative to the size at which it fits the front.
        lid: Colour of the lid and its slider.
        backdrop: Colour of the paper behind and under the mug.
        camera: Where the picture is taken from.
    """
    coat = surface("Coat")
    roughness, metallic, clear_coat, orange_peel = FINISHES[finish]
    coat.inputs["Base Color"].default_value = linear(colour)
    coat.inputs["Roughness"].default_value = roughness
    coat.inputs["Metallic"].default_value = metallic
    coat.inputs["Coat Weight"].default_value = clear_coat
    node_of("Coat", 'BUMP').inputs["Strength"].default_value = orange_peel
    surface("Lid").inputs["Base Color"].default_value = linear(lid)
    node_of("Backdrop", 'BSDF_DIFFUSE').inputs["Color"].default_value = linear(backdrop)
    # On a light coat, bare steel would not be read: there the laser leaves a dark mark.
    steel = STEEL if luminance(linear(colour)) < 0.35 else DARK_MARK
    surface("Engraving").inputs["Base Color"].default_value = (*steel, 1.0)
    engrave(text, text_size)
    bpy.context.scene.camera = bpy.data.objects[camera]


def engrave(text: str, relative_size: float) -> None:
    """Set the engraving's Geometry Nodes; long texts are made to fit the front."""
    nodes = bpy.data.node_groups["Engraving"].nodes
    nodes["Text"].string = text
    nodes["Size"].outputs[0].default_value = min(0.2, 1.3 / max(len(text), 1)) * relative_size


def surface(material: str) -> Any:
    """The Principled BSDF of a material."""
    return node_of(material, 'BSDF_PRINCIPLED')


def node_of(material: str, kind: str) -> Any:
    """The one node of a kind in a material."""
    return next(node for node in bpy.data.materials[material].node_tree.nodes if node.type == kind)


def linear(colour: str) -> tuple[float, float, float, float]:
    """`#rrggbb`, as screens have it, in the linear light that Blender computes with."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return (red, green, blue, 1.0)


def luminance(colour: tuple[float, float, float, float]) -> float:
    """How light a linear colour looks, from 0 to 1."""
    red, green, blue, _ = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
