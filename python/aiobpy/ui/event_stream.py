"""`ui.events` and `ui.event`: hear what a person does, in a task."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Self

import bpy

from aiobpy import owners
from aiobpy.ui import listening, needs
from aiobpy.ui.listeners import Listener
from aiobpy.ui.plain_event import Event, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Events:
    """Events as they come: `async for event in ui.events(...)`.

    The listening begins when this is made, and ends with `close()`, with the `with` block, when
    nobody has it any more, as after a `break`, or with the task and the add-on that made it.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._forget = owners.current().on_release(lambda: listening.end(listener))
        self._finalizer = weakref.finalize(self, _end, listener, self._forget)
        self._finalizer.atexit = False
        # Outside of a task, as in an operator, it ends when nobody has it any more.
        is_in_loop = asyncio._get_running_loop() is not None
        if is_in_loop and (task := asyncio.current_task()) is not None:
            task.add_done_callback(lambda _task: listening.end(listener))
        listening.begin(listener)

    @property
    def missed(self) -> int:
        """How many events were dropped because they were not taken in time."""
        return self._listener.missed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._listener.next()
        if event is None:
            raise StopAsyncIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        self._finalizer()


def events(
    *,
    type: str | Collection[str] | None = None,  # noqa: A002 - as Blender calls it
    value: str | Collection[str] | None = None,
    predicate: Callable[[Event], object] | None = None,
    swallow: bool = False,
    priority: int = 0,
) -> Events:
    """Hear what a person does in any window of Blender: `async for event in ui.events(...)`.

    Blender has the events too, unless `swallow` is true. While Blender itself is busy with a modal
    operator or a popup, that has the events, and nobody else. File loads and new windows change
    nothing. While somebody listens, Blender neither auto-saves nor reloads scripts, as with any
    modal operator: listen for as long as you need.

    Args:
        type: One or more types, as in `'SPACE'`, `{'LEFTMOUSE', 'PEN'}`; if left out, all but
            timers, which are heard by name only.
        value: One or more values, as in `'PRESS'`; all if left out.
        predicate: Is asked about each event that fits, in Blender's event handling: be quick.
        swallow: Keep what fits from Blender, and from listeners that are asked later.
        priority: Listeners with a greater one are asked first.

    Raises:
        ValueError: Blender knows no such type or value; the text says what may be meant.
        RuntimeError: This Blender has no windows, or this is not the main thread.
    """
    needs.windows("listen for events")
    return Events(
        Listener(
            _checked("type", type),
            _checked("value", value),
            predicate,
            swallow=swallow,
            priority=priority,
        )
    )


async def event(
    *,
    type: str | Collection[str] | None = None,  # noqa: A002 - as Blender calls it
    value: str | Collection[str] | None = None,
    predicate: Callable[[Event], object] | None = None,
    swallow: bool = False,
    priority: int = 0,
) -> Event:
    """Wait for one event: `await ui.event(type='SPACE', value='PRESS')`.

    Arguments and errors are those of `ui.events`.
    """
    with events(
        type=type, value=value, predicate=predicate, swallow=swallow, priority=priority
    ) as heard:
        async for one in heard:
            return one
    # The add-on was disabled, or the loop is being shut down.
    raise asyncio.CancelledError


def _checked(kind: str, names: str | Collection[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    asked = frozenset([names] if isinstance(names, str) else names)
    known = bpy.types.Event.bl_rna.properties[kind].enum_items.keys()
    for name in sorted(asked.difference(known)):
        msg = f"{owners.current().short_name} listens for events: {unknown(kind, name, known)}"
        raise ValueError(msg)
    return asked


def _end(listener: Listener, forget: Callable[[], None]) -> None:
    forget()
    listening.end(listener)
