"""Renders that clients have asked for: one after the other, each followed, cancelled and fetched.

Their files lie in a folder of this process's own, for as long as the render is remembered.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiobpy import jobs, server
from aiobpy.data import problems
from aiobpy.jobs import request
from aiobpy.problem import Problem

if TYPE_CHECKING:
    from aiobpy.jobs import RenderProgress

MOST: Final = 32
"""Renders that are remembered; the oldest that have ended are forgotten first."""

_MOST_FRAMES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be rendered.

    Attributes:
        scene: Its name; the current one if left out.
        frame: The frame of a picture; the scene's current one if left out.
        frames: The first and the last frame of an animation, and the step, in place of a picture.
    """

    scene: str | None = None
    frame: int | None = None
    frames: tuple[int, int, int] | None = None


@dataclass(slots=True)
class Render:
    """A render and how far it is."""

    order: Order
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: str = "waiting"
    fraction: float | None = None
    frame: int | None = None
    text: str = ""
    problem: str | None = None
    files: tuple[Path, ...] = ()
    task: asyncio.Task[None] | None = None

    def facts(self) -> dict[str, Any]:
        """Return what a client is told."""
        return {
            "id": self.id,
            "state": self.state,
            "progress": self.fraction,
            "frame": self.frame,
            "message": self.text,
            "problem": self.problem,
            "files": [path.name for path in self.files],
            "scene": self.order.scene,
        }


def order(scene: str | None, frame: int | None, frames: list[int] | None) -> Order:
    """Return what is to be rendered.

    Raises:
        Problem: 409, the scene cannot be rendered; 422, an argument does not fit.
    """
    span = None
    if frames is not None:
        if len(frames) not in (2, 3):
            raise problems.unfit([("/frames", "the first and the last frame, and the step")])
        first, last, step = (*frames, 1)[:3]
        if step < 1 or last < first or (last - first) // step >= _MOST_FRAMES:
            msg = f"frames that go up, {_MOST_FRAMES} at most"
            raise problems.unfit([("/frames", msg)])
        span = (first, last, step)
    try:
        request.check(scene, frame, _animation(span), None)
    except ValueError as error:
        raise problems.unfit([("", str(error))]) from None
    except jobs.RenderError as error:
        raise problems.conflict(str(error)) from None
    return Order(scene, frame, span)


def begin(order: Order) -> dict[str, Any]:
    """Begin a render, after those that wait already, and return what is known of it.

    Raises:
        Problem: 503, as many wait as can be remembered.
    """
    _forget_ended()
    if len(_renders) >= MOST:
        raise Problem(
            f"{MOST} renders wait already", status=503, kind="too-many-renders",
            title="Too many renders", hint="try again when some have ended",
        )  # fmt: skip
    render = Render(order)
    _renders[render.id] = render
    render.task = asyncio.get_running_loop().create_task(_run(render), name="render over REST")
    return render.facts()


def all_of_them() -> list[dict[str, Any]]:
    """Return what is known of each, the oldest first."""
    return [render.facts() for render in _renders.values()]


def get(number: str) -> dict[str, Any]:
    """Return what is known of a render.

    Raises:
        Problem: 404, there is none of that id.
    """
    return _find(number).facts()


def remove(number: str) -> None:
    """Cancel a render, or forget one that has ended, with its files.

    Raises:
        Problem: 404, there is none of that id.
    """
    render = _find(number)
    if render.task is not None and not render.task.done():
        if render.state == "waiting":
            # A task that has not begun never will.
            render.state = "cancelled"
        render.task.cancel()
    else:
        _forget(render)


def result(number: str, file: str | None = None) -> Path:
    """Return where a file of a render is.

    Args:
        number: The render's id.
        file: Its name, as `files` has it; the first if left out.

    Raises:
        Problem: 404, there is no such render or file; 409, it has not ended well.
    """
    render = _find(number)
    if render.state != "finished":
        msg = f"the render is {render.state}, so it has no result"
        raise problems.conflict(msg, f"GET /api/v1/renders/{number} tells how far it is")
    for path in render.files:
        if file in (None, path.name):
            return path
    names = [path.name for path in render.files]
    raise problems.unknown(f"the render has no file {file!r}", file or "", names)


async def _run(render: Render) -> None:
    try:
        async with _lock():
            render.state = "running"
            _tell(render)
            rendered = await _rendered(render)
            render.files = tuple(sorted(rendered.paths))
            render.state, render.fraction = "finished", 1.0
    except asyncio.CancelledError:
        render.state = "cancelled"
    except Exception as error:
        render.state, render.problem = "failed", " ".join(str(error).split())
        if not isinstance(error, jobs.RenderError | ValueError | OSError):
            raise
    finally:
        _tell(render)


async def _rendered(render: Render) -> jobs.Rendered:
    order = render.order
    folder = _folder() / render.id
    folder.mkdir()
    return await jobs.render(
        scene=order.scene,
        frame=order.frame,
        animation=_animation(order.frames),
        write=folder / ("frame_" if order.frames else "picture"),
        on_progress=lambda news: _note(render, news),
    )


def _animation(frames: tuple[int, int, int] | None) -> bool | range:
    return False if frames is None else range(frames[0], frames[1] + 1, frames[2])


def _note(render: Render, news: RenderProgress) -> None:
    """Keep how far it is; called by Blender on any of its threads where it has no windows."""
    render.fraction, render.frame, render.text = news.fraction, news.frame, news.text
    _tell(render)


def _tell(render: Render) -> None:
    """Tell those who follow the events: also while the main thread renders and answers nobody."""
    server.publish("renders." + render.state, render.facts())


def _find(number: str) -> Render:
    render = _renders.get(number)
    if render is None:
        raise problems.unknown(f"there is no render {number!r}", number, _renders)
    return render


def _forget_ended() -> None:
    ended = [r for r in _renders.values() if r.task is not None and r.task.done()]
    for render in ended[: max(0, len(_renders) - MOST + 1)]:
        _forget(render)


def _forget(render: Render) -> None:
    del _renders[render.id]
    if _place is not None:
        shutil.rmtree(_place / render.id, ignore_errors=True)


def _folder() -> Path:
    global _place
    if _place is None:
        _place = Path(tempfile.mkdtemp(prefix="aiobpy-renders-"))
        atexit.register(shutil.rmtree, _place, ignore_errors=True)
    return _place


def _lock() -> asyncio.Lock:
    """Return what lets one render run at a time, in the loop that runs."""
    global _turn
    loop = asyncio.get_running_loop()
    if _turn is None or _turn[0] is not loop:
        _turn = (loop, asyncio.Lock())
    return _turn[1]


_renders: collections.OrderedDict[str, Render] = collections.OrderedDict()
_place: Path | None = None
_turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
