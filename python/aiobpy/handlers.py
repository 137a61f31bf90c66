"""Awaits what Blender announces: the lists of `bpy.app.handlers`, as plain values.

Blender calls some handlers on threads of its own, such as all of an F12 render. What is called here
copies a few plain values, hands them to the loop and returns; it never runs a listener's code.
"""

from __future__ import annotations

import asyncio
import collections
import difflib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import bpy

from aiobpy import host, owners

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Hear = Callable[["Fired"], object]

LIMIT: Final = 256
"""How many events wait for a listener that does not come, unless it wants another number."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What Blender announced, in plain values: they stay true whatever becomes of the data.

    Attributes:
        handler: The name of the list, as in `save_post`.
        scene: The name of the scene that Blender passed, if it did.
        frame: That scene's frame at that moment.
        path: The file that is loaded or saved; empty for one that has no name yet.
        text: What Blender says of a render (`render_stats`).
        name: The name of the data-block that Blender passed, if that is no scene.
        missed: How many events before this one were dropped because nobody took them in time.
    """

    handler: str
    scene: str | None = None
    frame: int | None = None
    path: str | None = None
    text: str | None = None
    name: str | None = None
    missed: int = 0


def names() -> list[str]:
    """Return the names of the lists that this Blender has."""
    return [
        name
        for name in dir(bpy.app.handlers)
        if not name.startswith("_") and isinstance(getattr(bpy.app.handlers, name), list)
    ]


def next(*handlers: str) -> asyncio.Future[Fired]:  # noqa: A001 - reads `handlers.next("save_post")`
    """Return a future of what Blender announces next: `await handlers.next("save_post")`.

    It listens from the call on, so that one may ask first, do something, and then await. Cancelling
    it ends that, and so does disabling the add-on.

    Args:
        handlers: The names of lists of `bpy.app.handlers`; whichever comes first.

    Raises:
        ValueError: This Blender has no such list.
    """
    loop = host.ticked_loop()
    future: asyncio.Future[Fired] = loop.create_future()

    def hear(fired: Fired) -> None:
        _on_loop(loop, _resolve, future, fired)

    stop = subscribe(handlers, hear)
    forget = owners.current().on_release(future.cancel)

    def end(_: object) -> None:
        stop()
        forget()

    future.add_done_callback(end)
    return future


def every(*handlers: str, limit: int = LIMIT) -> Listener:
    """Return what Blender announces from now on: `async for fired in handlers.every("save_post")`.

    While nobody takes them, events wait, `limit` at most: then the oldest is dropped for each new
    one, and the next that is taken says in `missed` how many. It listens until its `close()`, the
    end of its `with` block, until nobody holds it any more, or until the add-on is disabled.

    Args:
        handlers: The names of lists of `bpy.app.handlers`; their events come in one order.
        limit: How many events may wait.

    Raises:
        ValueError: This Blender has no such list, or `limit` is less than one.
    """
    if limit < 1:
        msg = f"a listener needs room for one event at least, not {limit}"
        raise ValueError(msg)
    return Listener(handlers, limit)


class Listener:
    """An asynchronous iterator over what Blender announces; made by `every`."""

    def __init__(self, handlers: tuple[str, ...], limit: int) -> None:
        self._queue = _Queue(limit)
        self._stop = subscribe(handlers, self._queue.put)
        self._forget = owners.current().on_release(self._queue.end)
        self._names = handlers

    def __repr__(self) -> str:
        return f"<Listener for {', '.join(self._names)}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Fired:
        # Whoever empties a list of handlers, as some add-ons do, must not make us deaf for good.
        if not self._queue.is_over:
            _install(self._names)
        fired = await self._queue.take()
        if fired is None:
            raise StopAsyncIteration
        return fired

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more: who iterates gets what has come until now, and then the end."""
        self._stop()
        self._forget()
        self._queue.end()

    def __del__(self) -> None:
        if stop := getattr(self, "_stop", None):
            stop()
            self._forget()


def subscribe(handlers: tuple[str, ...], hear: Hear) -> Callable[[], None]:
    """Have `hear(fired)` called in whatever thread Blender announces something.

    Returns:
        Ends that; it may be called again, and from any thread.

    Raises:
        ValueError: This Blender has no such list.
    """
    if not handlers:
        msg = "no handler was named; name lists of `bpy.app.handlers`, as in 'save_post'"
        raise ValueError(msg)
    for name in handlers:
        _check(name)
    key = object()
    for name in handlers:
        _sources.setdefault(name, _Source(name)).listeners[key] = hear
    _install(handlers)
    loop = host.loop()

    def stop() -> None:
        for name in handlers:
            _sources[name].listeners.pop(key, None)
        if threading.get_ident() == _main_thread:
            _uninstall_unheard()
        else:
            _on_loop(loop, _uninstall_unheard)

    return stop


class _Queue:
    """Events between the threads that Blender announces them on and the task that takes them."""

    def __init__(self, limit: int) -> None:
        self._events: collections.deque[Fired] = collections.deque()
        self._limit = limit
        self._missed = 0
        self._lock = threading.Lock()
        self._loop = host.ticked_loop()
        self._something_new = asyncio.Event()
        self.is_over = False

    def put(self, fired: Fired) -> None:
        """Keep an event. May be called in any thread."""
        with self._lock:
            is_first = not self._events
            if len(self._events) == self._limit:
                self._events.popleft()
                self._missed += 1
            self._events.append(fired)
        if is_first:
            _on_loop(self._loop, self._something_new.set)

    async def take(self) -> Fired | None:
        """Return the oldest event, waiting for one; None when there will be no more."""
        while True:
            with self._lock:
                if self._events:
                    missed, self._missed = self._missed, 0
                    return replace(self._events.popleft(), missed=missed)
            if self.is_over:
                return None
            self._something_new.clear()
            await self._something_new.wait()

    def end(self) -> None:
        """No more events will come."""
        self.is_over = True
        self._something_new.set()


class _Source:
    """One list of `bpy.app.handlers`, and who listens to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.listeners: dict[object, Hear] = {}
        self.callback = self._make_callback()

    def _make_callback(self) -> Callable[..., None]:
        def aiobpy_handler(*arguments: Any) -> None:
            if self.listeners:
                fired = _plain(self.name, arguments)
                for hear in list(self.listeners.values()):
                    hear(fired)

        # Blender keeps the plain functions that carry this through a file load.
        aiobpy_handler._bpy_persistent = None  # type: ignore[attr-defined]
        return aiobpy_handler


def _plain(handler: str, arguments: tuple[Any, ...]) -> Fired:
    """Copy what Blender passes: it may be gone as soon as we return."""
    given = arguments[0] if arguments else None
    if isinstance(given, str):
        if handler == "render_stats":
            return Fired(handler, text=given)
        return Fired(handler, path=given)
    if isinstance(given, bpy.types.Scene):
        return Fired(handler, scene=given.name, frame=given.frame_current)
    if isinstance(given, bpy.types.ID):
        return Fired(handler, name=given.name)
    return Fired(handler)


def _check(name: str) -> None:
    known = names()
    if name in known:
        return
    near = _GONE.get(name) or difflib.get_close_matches(name, known)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(known)}"
    msg = f"Blender {bpy.app.version_string} has no list of handlers {name!r}; {hint}"
    raise ValueError(msg)


_GONE: Final = {
    "scene_update_pre": ["depsgraph_update_pre"],
    "scene_update_post": ["depsgraph_update_post"],
    "game_pre": ["animation_playback_pre"],
    "game_post": ["animation_playback_post"],
}
"""Lists of Blender 2.7, and what has come in their place."""


def _install(handlers: tuple[str, ...]) -> None:
    global _is_taken_down_at_the_end
    for name in handlers:
        present = getattr(bpy.app.handlers, name)
        callback = _sources[name].callback
        if not any(one is callback for one in present):
            present.append(callback)
    if not _is_taken_down_at_the_end:
        _is_taken_down_at_the_end = True
        host.on_shut_down(_take_down)


def _uninstall_unheard() -> None:
    for source in _sources.values():
        if not source.listeners:
            _remove(source)


def _remove(source: _Source) -> None:
    present = getattr(bpy.app.handlers, source.name)
    if source.callback in present:
        present.remove(source.callback)


def _take_down() -> None:
    global _is_taken_down_at_the_end
    _is_taken_down_at_the_end = False
    for source in _sources.values():
        source.listeners.clear()
        _remove(source)


def _on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *given: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *given)
    except RuntimeError:
        # Blender is quitting, and the loop is closed: nobody waits any more.
        return


def _resolve(future: asyncio.Future[Fired], fired: Fired) -> None:
    if not future.done():
        future.set_result(fired)


_sources: dict[str, _Source] = {}
_is_taken_down_at_the_end = False
_main_thread = threading.get_ident()
