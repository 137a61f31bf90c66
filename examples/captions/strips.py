"""The sequencer, whose names differ from one Blender to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import bpy

    from .making import Rendered


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """Return the scene that is edited: from 5.0 on the workspace's, which may be another."""
    workspace = context.workspace
    scene = getattr(workspace, "sequencer_scene", None) if workspace else None
    return scene or context.scene


def all_of(scene: bpy.types.Scene) -> Any:
    """Return the strips: `sequences` before 4.4, `strips` since."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def add(scene: bpy.types.Scene, rendered: list[Rendered], first: int) -> list[str]:
    """Add captions as strips of pictures on the lowest channel that has room; return their names.

    Args:
        scene: That is edited.
        rendered: The captions.
        first: The frame at which their time begins.
    """
    fps = scene.render.fps / scene.render.fps_base
    spans = [(first + round(one.begin * fps), len(one.frames)) for one in rendered]
    channel = _free_channel(scene, spans)
    strips = all_of(scene)
    names = []
    for one, (begin, _) in zip(rendered, spans, strict=True):
        title = one.text.replace("\n", " ")[:48]
        strip = strips.new_image(title, str(one.frames[0]), channel, begin)
        for frame in one.frames[1:]:
            strip.elements.append(frame.name)
        strip.frame_final_duration = len(one.frames)
        strip.blend_type = 'ALPHA_OVER'
        names.append(strip.name)
    return names


def _free_channel(scene: bpy.types.Scene, spans: list[tuple[int, int]]) -> int:
    """Return the lowest channel above all that is there at the time."""
    highest = 0
    for strip in all_of(scene):
        begin, end = strip.frame_final_start, strip.frame_final_end
        if any(start < end and begin < start + length for start, length in spans):
            highest = max(highest, strip.channel)
    return highest + 1
