"""The workflow, from top to bottom.

Nothing in the scene changes before the last step, and that does not wait for anything: whoever
cancels, at whatever step, has lost nothing.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy

import aiobpy
from aiobpy import ui

from . import parts_list
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .parts_list import Part

BUDGET: Final = 0.004
"""Seconds of work per frame of Blender."""
DOWNLOADS: Final = 4
"""Files that are fetched at a time."""
SAID: Final = 64
"""Objects between two words on how far it has come."""
LINES: Final = 200
"""Of a mesh's file, that are read before looking at the clock again."""


class Choice(enum.Enum):
    """What to do with a part that is in the file already."""

    REPLACE = "Replace it"
    KEEP_BOTH = "Keep both"
    SKIP = "Leave it out"


@dataclass(frozen=True)
class Imported:
    """What was added."""

    parts: int
    objects: int


Say = Callable[[float | None, str], object]
Ask = Callable[[str], Awaitable[Choice | None]]


async def ask_a_person(name: str) -> Choice | None:
    """Let a person choose; None if they choose nothing."""
    title = f"{name!r} is in this file already"
    return await ui.menu(list(Choice), title=title, label=lambda choice: choice.value)


async def import_parts(
    say: Say, path: Path | None = None, ask: Ask = ask_a_person
) -> Imported | None:
    """Import a list of parts.

    Args:
        say: Is told how far it has come, from 0 to 1, and what it does.
        path: The list; a person is asked for it if left out.
        ask: Says what to do with a part that is there already.

    Returns:
        What was added; None if the person has given up.

    Raises:
        ValueError: The list, or a mesh, is none.
        OSError: A file cannot be read.
        aiobpy.TransferError: A mesh cannot be fetched.
        RuntimeError: Another file was opened meanwhile, or the like.
    """
    if path is None:
        path = await ui.pick_file("Import Parts", filter="*.json")
    if path is None:
        return None
    say(0.0, path.name)
    parts = parts_list.read(await aiobpy.read_file(path), path.as_uri())
    files = await fetch(parts, lambda fraction, text: say(0.5 * (fraction or 0.0), text))
    choices = await ask_about_conflicts(parts, ask)
    if choices is None:
        return None
    wanted = [part for part in parts if choices.get(part.name) is not Choice.SKIP]
    with Workshop() as workshop:
        await build(
            workshop, wanted, files, lambda fraction, text: say(0.5 + 0.5 * (fraction or 0.0), text)
        )
        replaced = [name for name, choice in choices.items() if choice is Choice.REPLACE]
        workshop.deliver(replaced)
    return Imported(len(wanted), sum(len(part.places) for part in wanted))


async def fetch(parts: list[Part], say: Say) -> Mapping[str, Path]:
    """Return where the mesh of each part is, by its address; download those that are elsewhere."""
    done: dict[str, float] = {}
    limit = asyncio.Semaphore(DOWNLOADS)

    async def one(part: Part) -> Path:
        if part.url.startswith("file:"):
            return parts_list.path_of(part.url)
        name = hashlib.sha256(part.url.encode()).hexdigest()
        path = Path(bpy.app.tempdir, f"{name}.obj")

        def note(progress: aiobpy.Progress) -> None:
            done[part.url] = progress.fraction or 0.0
            say(sum(done.values()) / len(urls), f"fetching {part.name}")

        async with limit:
            await aiobpy.download(part.url, path, sha256=part.sha256, on_progress=note)
        return path

    urls = {part.url: part for part in parts}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {url: group.create_task(one(part)) for url, part in urls.items()}
    except ExceptionGroup as errors:
        # The others were cancelled because of the first.
        raise errors.exceptions[0] from None
    return {url: task.result() for url, task in tasks.items()}


async def ask_about_conflicts(parts: list[Part], ask: Ask) -> Mapping[str, Choice] | None:
    """Return what to do with each part that is there already; None to give up."""
    choices: dict[str, Choice] = {}
    for part in parts:
        if part.name in bpy.data.collections:
            choice = await ask(part.name)
            if choice is None:
                return None
            choices[part.name] = choice
    return choices


async def build(workshop: Workshop, parts: list[Part], files: Mapping[str, Path], say: Say) -> None:
    """Build all parts in the workshop, a little in each frame of Blender."""
    total = sum(len(part.places) for part in parts) or 1
    built = 0
    for part in parts:
        lines = (await aiobpy.read_file(files[part.url])).splitlines()
        mesh = parts_list.Mesh()
        async for start in aiobpy.spread(range(0, len(lines), LINES), budget=BUDGET):
            mesh.read(lines[start : start + LINES])
        bench = workshop.begin(part.name, mesh)
        async for place in aiobpy.spread(part.places, budget=BUDGET):
            bench.put(place)
            built += 1
            if built % SAID == 0 or built == total:
                say(built / total, f"building {part.name}")
