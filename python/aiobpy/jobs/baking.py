"""`await aiobpy.bake(...)`: beside the interface where there is one, else blocking."""

from __future__ import annotations

import asyncio
import difflib
import time
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import handlers, main_loop, progress
from aiobpy.jobs import stopping
from aiobpy.jobs.outcomes import Baked, BakeError, one_line
from aiobpy.worker.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    OnProgress = Callable[[str], object]


async def bake(*objects: str, on_progress: OnProgress | None = None, **settings: Any) -> Baked:
    """Bake objects into the images of their materials, as `Bake` in the render properties does.

    In a Blender with windows it runs beside the interface, and cancelling the task stops it;
    without, it blocks. The images are not saved: see `Image.save`. What is selected is so again
    afterwards.

    Args:
        objects: Their names; the last is the active one. If left out, those that are selected.
        on_progress: Called with what the engine says, as `aiobpy.render` calls its own.
        settings: Of the operator `object.bake`, as in `type='DIFFUSE'`.

    Raises:
        ValueError: An object is not in the scene.
        BakeError: Blender cannot bake these, a bake runs already, or somebody has stopped it.
    """
    if bpy.app.is_job_running('OBJECT_BAKE'):
        msg = "a bake runs already; Blender does one at a time: await that first"
        raise BakeError(msg)
    names = objects or tuple(found.name for found in bpy.context.selected_objects)
    began = time.monotonic()
    with _Selection(objects):
        if main_loop.is_ticked():
            # The job has its own list of objects once it has begun.
            following = _begin(names, settings, on_progress)
        else:
            following = None
            _block(names, settings, on_progress)
    if following is not None:
        await following
    return Baked(names, time.monotonic() - began)


def _begin(names: tuple[str, ...], settings: dict[str, Any], on_progress: OnProgress | None) -> Any:
    ends = handlers.next("object_bake_complete", "object_bake_cancel")
    said = handlers.every("render_stats")
    try:
        with main_loop.with_a_window():
            result = _run('INVOKE_DEFAULT', names, settings)
        if 'RUNNING_MODAL' not in result:
            msg = f"Blender did not begin to bake {', '.join(names)}; does a render run?"
            raise BakeError(msg)
    except BaseException:
        ends.cancel()
        said.close()
        raise
    return _follow(names, ends, said, on_progress)


async def _follow(
    names: tuple[str, ...],
    ends: asyncio.Future[handlers.Fired],
    said: handlers.Listener,
    on_progress: OnProgress | None,
) -> None:
    telling = asyncio.create_task(_tell(said, on_progress))
    try:
        either: set[asyncio.Future[Any]] = {ends, telling}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not ends.done():
            telling.result()
        end = await ends
    except BaseException:
        ends.cancel()
        await stopping.stop('OBJECT_BAKE')
        raise
    finally:
        telling.cancel()
        said.close()
    while bpy.app.is_job_running('OBJECT_BAKE'):
        await main_loop.frame()
    if end.handler == "object_bake_cancel":
        msg = (
            f"the bake of {', '.join(names)} was stopped, or failed: Blender's Info editor says why"
        )
        raise BakeError(msg)


async def _tell(said: handlers.Listener, on_progress: OnProgress | None) -> None:
    known = Progress()
    async for fired in said:
        if told := known.take(fired.text or "", time.monotonic()):
            progress.set_progress(told[0] or None, told[1])
            if on_progress is not None:
                on_progress(told[1])


def _block(
    names: tuple[str, ...], settings: dict[str, Any], on_progress: OnProgress | None
) -> None:
    errors: list[Exception] = []

    def hear(fired: handlers.Fired) -> None:
        if on_progress is not None and fired.text and not errors:
            try:
                on_progress(fired.text)
            except Exception as error:
                errors.append(error)

    stop_hearing = handlers.subscribe(("render_stats",), hear)
    try:
        result = _run('EXEC_DEFAULT', names, settings)
    finally:
        stop_hearing()
    if errors:
        raise errors[0]
    if 'FINISHED' not in result:
        msg = f"the bake of {', '.join(names)} was stopped"
        raise BakeError(msg)


def _run(how: str, names: tuple[str, ...], settings: dict[str, Any]) -> set[str]:
    try:
        result: set[str] = bpy.ops.object.bake(how, **settings)
    except RuntimeError as error:
        msg = f"Blender cannot bake {', '.join(names) or 'nothing'}: {one_line(error)}"
        raise BakeError(msg) from None
    return result


class _Selection:
    """Has objects selected for a moment, and then what was selected before."""

    def __init__(self, names: tuple[str, ...]) -> None:
        known = bpy.context.view_layer.objects.keys()
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                msg = f"there is no object {name!r} in the view layer{hint}"
                raise ValueError(msg)
        self._names = names

    def __enter__(self) -> None:
        layer = bpy.context.view_layer
        self._selected = [found.name for found in layer.objects if found.select_get()]
        self._active = layer.objects.active and layer.objects.active.name
        if self._names:
            _select(list(self._names), self._names[-1])

    def __exit__(self, *_: object) -> None:
        if self._names:
            _select(self._selected, self._active)


def _select(names: list[str], active: str | None) -> None:
    layer = bpy.context.view_layer
    for found in layer.objects:
        found.select_set(found.name in names)
    layer.objects.active = layer.objects.get(active) if active else None
