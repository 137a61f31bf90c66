"""The other Blender's half: builds a caption of words that rise one by one, and renders it.

Cycles, because it needs no graphics card, and lights that are the letters themselves: a few samples
are enough.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

import bpy

import aiobpy

WIDTH = 16.0
"""Blender's units across the picture."""
LINE = 1.2
RISE = 0.35
"""Seconds in which a word appears, and in which the whole goes."""
STAGGER = 0.08
"""Seconds from one word to the next."""
OUTLINE = 0.025


@dataclass(frozen=True)
class Picture:
    """What it is rendered for."""

    width: int
    height: int
    fps: float
    colour: str
    samples: int


@dataclass(frozen=True)
class Word:
    """A word's object and its outline, and where it comes to rest."""

    objects: tuple[bpy.types.Object, bpy.types.Object]
    x: float
    y: float


@aiobpy.rpc(name="captions.render", long=True)
async def render(text: str, frames: int, folder: str, picture: Picture) -> list[str]:
    """Render a caption as PNG files with transparency; return their paths.

    Args:
        text: Lines are kept.
        frames: How many pictures.
        folder: Where they go; Blender makes it.
        picture: What they are for.
    """
    scene = _prepare(picture)
    words = _place(scene, text, WIDTH * picture.height / picture.width)
    files = []
    for frame in range(frames):
        for number, word in enumerate(words):
            _move(word, _shown(frame / picture.fps, number, frames / picture.fps))
        scene.render.filepath = os.path.join(folder, f"{frame + 1:05}.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        files.append(scene.render.filepath)
        aiobpy.set_progress((frame + 1) / frames)
        # Who follows hears of it now, and who cancels is heard.
        await asyncio.sleep(0)
    return files


def _prepare(picture: Picture) -> bpy.types.Scene:
    """Empty the scene, and set it up for a transparent picture."""
    scene = bpy.context.scene
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type = 'ORTHO'
    camera.data.sensor_fit = 'HORIZONTAL'
    camera.data.ortho_scale = WIDTH
    camera.location.z = 10
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = picture.samples
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 0
    scene.cycles.transparent_max_bounces = 8
    scene.render.film_transparent = True
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = picture.width, picture.height
    scene.render.resolution_percentage = 100
    # Colours come out as they were given.
    scene.view_settings.view_transform = 'Standard'
    scene.render.image_settings.file_format = 'PNG'
    scene.render.image_settings.color_mode = 'RGBA'
    red, green, blue = (int(picture.colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    _shining("Letters", (red, green, blue))
    _shining("Outline", (0.0, 0.0, 0.0))
    return scene


def _shining(name: str, colour: tuple[float, float, float]) -> None:
    """Make a material that shines in a colour, as far as its object is there."""
    material = bpy.data.materials.get(name) or bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    emission = nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (*map(_linear, colour), 1.0)
    nothing, mix = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeMixShader")
    there, output = nodes.new("ShaderNodeObjectInfo"), nodes.new("ShaderNodeOutputMaterial")
    links.new(there.outputs["Alpha"], mix.inputs["Fac"])
    links.new(nothing.outputs[0], mix.inputs[1])
    links.new(emission.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], output.inputs["Surface"])


def _linear(value: float) -> float:
    """Return light for a value of sRGB (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _place(scene: bpy.types.Scene, text: str, height: float) -> list[Word]:
    """Make the words, centred, in lines at the foot of the picture; not wider than that."""
    lines = text.splitlines()
    room = WIDTH * 0.9
    widest = max(_width_of(scene, line) for line in lines)
    size = min(1.0, room / widest) if widest else 1.0
    words = []
    for number, line in enumerate(lines):
        y = -height / 2 + height * 0.08 + (len(lines) - 1 - number) * LINE * size
        left = -_width_of(scene, line) * size / 2
        before = ""
        for body in line.split():
            x = left + (_width_of(scene, before + body) - _width_of(scene, body)) * size
            words.append(Word(_make(scene, body, size), x, y))
            before += f"{body} "
    return words


def _width_of(scene: bpy.types.Scene, text: str) -> float:
    """Return how wide a text is at size 1."""
    curve = bpy.data.curves.new("Measure", 'FONT')
    curve.body = text
    measured = bpy.data.objects.new("Measure", curve)
    scene.collection.objects.link(measured)
    bpy.context.view_layer.update()
    width = float(measured.dimensions.x)
    bpy.data.objects.remove(measured)
    bpy.data.curves.remove(curve)
    return width


def _make(
    scene: bpy.types.Scene, body: str, size: float
) -> tuple[bpy.types.Object, bpy.types.Object]:
    made = []
    for material, offset, depth in (("Letters", 0.0, 0.0), ("Outline", OUTLINE, -0.1)):
        curve = bpy.data.curves.new(body, 'FONT')
        curve.body, curve.size, curve.offset = body, size, offset
        curve.materials.append(bpy.data.materials[material])
        thing = bpy.data.objects.new(body, curve)
        thing.location.z = depth
        scene.collection.objects.link(thing)
        made.append(thing)
    return made[0], made[1]


def _shown(time: float, number: int, seconds: float) -> float:
    """Return how much of a word is there, from 0 to 1."""
    rise = min(RISE, seconds / 4)
    stagger = min(STAGGER, seconds / 40)
    coming = (time - number * stagger) / rise
    going = (seconds - time) / rise
    part = min(max(min(coming, going), 0.0), 1.0)
    # Slow at both ends.
    return part * part * (3 - 2 * part)


def _move(word: Word, shown: float) -> None:
    for thing in word.objects:
        thing.location.x, thing.location.y = word.x, word.y - 0.6 * (1 - shown)
        thing.color = (1.0, 1.0, 1.0, shown)
