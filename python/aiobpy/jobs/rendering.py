"""`await aiobpy.render(...)`: beside the interface where there is one, else blocking."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import bpy

from aiobpy import handlers, main_loop, owners
from aiobpy.jobs import stopping
from aiobpy.jobs.outcomes import Rendered, RenderError, RenderProgress, RenderStopped, one_line
from aiobpy.jobs.reporting import Reporter
from aiobpy.jobs.request import PART, Request, check
from aiobpy.jobs.settings import Borrowed, borrow, written_paths

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    OnProgress = Callable[[RenderProgress], object]

_ANNOUNCED: Final = ("render_pre", "render_post", "render_stats")
_ENDS: Final = ("render_complete", "render_cancel", "undo_pre", "redo_pre", "load_pre")
_END_JOBS: Final = {"undo_pre": "an undo", "redo_pre": "a redo", "load_pre": "a file load"}
_LOOK_AGAIN: Final = 0.5
"""Seconds of silence after which we look whether Blender still renders."""


async def render(
    *,
    scene: str | None = None,
    frame: int | None = None,
    animation: bool | range = False,
    write: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Rendered:
    """Render a picture or an animation as the scene is set up, and return what was written.

    In a Blender with windows it runs beside the interface, as F12 does, and shows the result where
    the preferences say. Cancelling the task stops it. Without windows it blocks, as any render
    there: the loop goes on, and a cancellation takes effect, between two frames of an animation
    (not of a film).

    Args:
        scene: Its name; the current one if left out.
        frame: The frame of the picture; the scene's current one if left out.
        animation: True for the scene's range, or a `range` of frames.
        write: Where to. A picture's name ends as its format demands, and it appears when it is
            complete. For an animation it is what `Output` is in the properties. If left out, an
            animation goes where the scene says, and a picture stays in "Render Result".
        on_progress: Called with a `RenderProgress` on the main thread between two `await`s; without
            windows by Blender within the render, often on another thread, where nothing of `bpy`
            may be touched.

    Raises:
        ValueError: An argument does not fit the scene; the text says what would.
        RenderError: Blender cannot render this, or a render runs already.
        RenderStopped: Somebody stopped it in Blender.
    """
    global _under_way
    request = check(scene, frame, animation, write)
    _refuse_a_second()
    _under_way = f"{request.scene!r} (of {owners.current().short_name})"
    began = time.monotonic()
    reporter = Reporter(request, on_progress)
    try:
        if main_loop.is_ticked():
            paths = await _Beside(request, reporter).run()
        else:
            paths = await _block(request, reporter)
    finally:
        _under_way = None
        _remove_parts(request)
    return Rendered(request.scene, paths, len(request.frames), time.monotonic() - began)


class _Beside:
    """A render in a job of Blender's, while its interface and our loop go on."""

    def __init__(self, request: Request, reporter: Reporter) -> None:
        self._request = request
        self._reporter = reporter
        self._fired: asyncio.Queue[handlers.Fired] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._paths: list[str] = []

    async def run(self) -> tuple[Path, ...]:
        """Start it, follow it to its end and return what it has written."""
        stop_hearing = handlers.subscribe((*_ANNOUNCED, *_ENDS), self._hear)
        windows = stopping.window_addresses()
        frame_before = self._go_to_frame()
        borrowed = borrow(self._request)
        try:
            if self._request.is_animation:
                self._paths = written_paths(self._request)
            _start(self._request, 'INVOKE_DEFAULT')
            window = _address(stopping.window_of_render())
            try:
                await self._follow(borrowed, windows, window)
            except BaseException:
                await stopping.stop('RENDER')
                raise
        finally:
            stop_hearing()
            borrowed.give_back()
            self._go_back(frame_before)
        return _finish(self._request, self._paths)

    def _hear(self, fired: handlers.Fired) -> None:
        if fired.scene == stopping.SCENE:
            return
        self._loop.call_soon_threadsafe(self._fired.put_nowait, fired)

    async def _follow(
        self, borrowed: Borrowed, windows: frozenset[int], window: int | None
    ) -> None:
        while True:
            fired = await self._next()
            if fired.handler == "render_pre" and not self._request.is_animation:
                # Blender has copied what it needs; a person sees their own settings again. For an
                # animation it looks again at each frame.
                borrowed.give_back()
            if (news := self._reporter.take(fired)) is not None:
                self._reporter.tell(news)
            if fired.handler in _ENDS:
                break
        while stopping.is_rendering():
            await main_loop.frame()
        if why := self._why_stopped(fired, window is not None and window not in windows, window):
            raise _stopped(self._request, self._reporter, why, self._paths)

    async def _next(self) -> handlers.Fired:
        while True:
            try:
                return await asyncio.wait_for(self._fired.get(), _LOOK_AGAIN)
            except TimeoutError:
                if not stopping.is_rendering() and self._fired.empty():
                    msg = f"the render of {self._request.scene!r} ended without a word"
                    raise RenderError(msg) from None

    def _why_stopped(self, end: handlers.Fired, had_window: bool, window: int | None) -> str | None:
        """Return who stopped it; None if it has ended by itself.

        An undo, a file load and a closed window end a job in which nobody has pressed Escape:
        Blender calls that complete. What ended it is announced right after that.
        """
        if end.handler == "render_cancel":
            return "in Blender, or it failed, and Blender's Info editor says why"
        enders = [end.handler]
        while not self._fired.empty():
            enders.append(self._fired.get_nowait().handler)
        for ender in enders:
            if ender in _END_JOBS:
                return f"by {_END_JOBS[ender]}"
        if had_window and window not in stopping.window_addresses():
            return "by closing its window"
        return None

    def _go_to_frame(self) -> int:
        scene = bpy.data.scenes[self._request.scene]
        before, wanted = int(scene.frame_current), self._request.frames[0]
        if not self._request.is_animation and before != wanted:
            scene.frame_set(wanted)
        return before

    def _go_back(self, frame: int) -> None:
        scene = bpy.data.scenes.get(self._request.scene)
        if scene is not None and scene.frame_current != frame:
            scene.frame_set(frame)


async def _block(request: Request, reporter: Reporter) -> tuple[Path, ...]:
    """Render where nothing goes on beside: frame by frame, with turns of the loop in between."""
    scene = bpy.data.scenes[request.scene]
    frame_before = scene.frame_current
    stop_hearing = handlers.subscribe(_ANNOUNCED, reporter.hear)
    paths: list[str] = []
    try:
        for part in _parts(request):
            borrowed = borrow(part)
            try:
                if part.is_animation:
                    paths += written_paths(part)
                else:
                    scene.frame_set(part.frames[0])
                if 'CANCELLED' in _start(part, 'EXEC_DEFAULT'):
                    raise _stopped(request, reporter, "in Blender", paths)
            finally:
                borrowed.give_back()
            if reporter.error is not None:
                raise reporter.error
            # Two turns: a time-out that is due is heard of in the first.
            await main_loop.frame()
            await main_loop.frame()
    finally:
        stop_hearing()
        if request.scene in bpy.data.scenes:
            bpy.data.scenes[request.scene].frame_set(frame_before)
    return _finish(request, paths)


def _parts(request: Request) -> Iterator[Request]:
    if not request.is_animation or request.is_film:
        yield request
        return
    for frame in request.frames:
        yield Request(request.scene, range(frame, frame + 1), True, False, request.write)


def _start(request: Request, how: str) -> set[str]:
    is_written = request.write is not None and not request.is_animation
    try:
        with main_loop.with_a_window():
            result: set[str] = bpy.ops.render.render(
                how,
                scene=request.scene,
                animation=request.is_animation,
                write_still=is_written,
            )
    except RuntimeError as error:
        msg = f"Blender cannot render {request.scene!r}: {one_line(error)}"
        raise RenderError(msg) from None
    if how == 'INVOKE_DEFAULT' and 'RUNNING_MODAL' not in result:
        msg = f"Blender did not begin to render {request.scene!r}; does another job run?"
        raise RenderError(msg)
    return result


def _finish(request: Request, paths: list[str]) -> tuple[Path, ...]:
    """Have all files at their places, and return those."""
    if request.is_animation:
        if missing := [path for path in paths if not Path(path).exists()]:
            msg = f"Blender rendered {request.scene!r}, but could not write {missing[0]}"
            raise RenderError(msg)
        return tuple(Path(path) for path in paths)
    if request.write is None:
        return ()
    parts = _part_files(request)
    if not parts:
        msg = f"Blender rendered {request.scene!r}, but could not write {request.write}"
        raise RenderError(msg)
    complete = [part.with_name(part.name.replace(PART, "")) for part in parts]
    for part, path in zip(parts, complete, strict=True):
        part.replace(path)
    return tuple(complete)


def _part_files(request: Request) -> list[Path]:
    """Return what Blender has written of a picture: with several views, several files."""
    part = request.part()
    if part is None or not part.parent.is_dir():
        return []
    return sorted(file for file in part.parent.iterdir() if file.name.startswith(part.stem))


def _remove_parts(request: Request) -> None:
    for part in _part_files(request):
        part.unlink(missing_ok=True)


def _stopped(request: Request, reporter: Reporter, why: str, paths: list[str]) -> RenderStopped:
    after = (
        f" after {reporter.done} of {len(request.frames)} frames" if request.is_animation else ""
    )
    msg = f"the render of {request.scene!r} was stopped{after} {why}"
    written = () if request.is_film else tuple(Path(path) for path in paths[: reporter.done])
    return RenderStopped(msg, tuple(path for path in written if path.exists()))


def is_under_way() -> bool:
    """Return whether a render that was asked for here runs."""
    return _under_way is not None


def _refuse_a_second() -> None:
    if _under_way is not None or stopping.is_rendering():
        of = f" of {_under_way}" if _under_way else ", started by hand or by another add-on,"
        msg = f"a render{of} runs already; Blender does one at a time: await or cancel that first"
        raise RenderError(msg)


def _address(window: object) -> int | None:
    return None if window is None else int(window.as_pointer())  # type: ignore[attr-defined]


_under_way: str | None = None
