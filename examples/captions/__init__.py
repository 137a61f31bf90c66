"""Animated captions for the Video Sequence Editor, rendered by a second Blender meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import bpy

import aiobpy
from aiobpy import ui

from . import making, strips, timing


@dataclass(frozen=True)
class Wanted:
    """What a person enters"""

    text: str = "One caption / and the next"
    seconds: Annotated[float, aiobpy.Range(0.2, 60.0)] = 2.0
    subtitles: str = field(default="", metadata={"subtype": 'FILE_PATH'})
    colour: aiobpy.Colour = "#ffffff"


class SEQUENCER_OT_animated_captions(aiobpy.AsyncOperator):
    """Render captions in another Blender, and add them as strips"""

    bl_idname = "sequencer.animated_captions"
    bl_label = "Animated Captions"

    async def async_execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the text, have it rendered, add the strips."""
        wanted = await ui.dialog(
            Wanted,
            title="Animated Captions",
            text="Captions with / between them, or a file of subtitles (.srt)",
            confirm="Render",
        )
        if wanted is None:
            return {'CANCELLED'}
        names = await add_captions(wanted, self.progress)
        self.report({'INFO'}, f"{len(names)} captions")
        return {'FINISHED'}


async def add_captions(wanted: Wanted, say: Any) -> list[str]:
    """Render captions and add them, from the current frame on; return the strips' names.

    Args:
        wanted: What a person has entered.
        say: Is told how far it is, from 0 to 1, and what it does.
    """
    scene = strips.scene_of(bpy.context)
    if wanted.subtitles:
        path = bpy.path.abspath(wanted.subtitles)
        text = (await aiobpy.read_file(path)).decode("utf-8-sig")
        captions = timing.read_subtitles(text)
    else:
        captions = timing.one_after_another(wanted.text, wanted.seconds)
    picture = making.Picture.of(scene)
    picture = replace(picture, colour=str(wanted.colour))
    name, first = scene.name, scene.frame_current
    rendered = await making.render(captions, picture, making.folder_for(name), say)
    # Whatever happened meanwhile: the scene is looked up by its name.
    return strips.add(bpy.data.scenes[name], rendered, first)


def draw_in_menu(menu: Any, _context: bpy.types.Context) -> None:
    """Add the operator to the sequencer's Add menu."""
    menu.layout.operator_context = 'INVOKE_DEFAULT'
    menu.layout.operator(SEQUENCER_OT_animated_captions.bl_idname)


def register() -> None:
    """Enable the add-on."""
    bpy.utils.register_class(SEQUENCER_OT_animated_captions)
    bpy.types.SEQUENCER_MT_add.append(draw_in_menu)


def unregister() -> None:
    """Disable the add-on. aiobpy cancels what is under way, and the other Blender ends with it."""
    bpy.types.SEQUENCER_MT_add.remove(draw_in_menu)
    bpy.utils.unregister_class(SEQUENCER_OT_animated_captions)
