"""Blender's handlers, each awaited once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy import handlers as announcements
from aiobpy.compat import current_loop

if TYPE_CHECKING:
    import asyncio

    from aiobpy.handlers import Fired

_NOW_CALLED: Final = {
    "scene_update_post": "depsgraph_update_post",
    "scene_update_pre": "depsgraph_update_pre",
}
"""Handlers of Blender 2.7 that go by another name."""

handler_names: Final = sorted({*announcements.names(), *_NOW_CALLED})
"""What this Blender announces."""


def app_handler(name: str) -> asyncio.Future[tuple[Any, ...]]:
    """Return a future of what Blender passes to a handler when it next calls it.

    It has the scene as it is when the waiting ends, and the path of the file.

    Raises:
        ValueError: This Blender has no such handler.
    """
    return AppHandler(name).wait()


def install_handlers() -> None:
    """Do nothing: a handler is installed while somebody waits for it."""


class AppHandler:
    """All who wait for one handler."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.futures: set[asyncio.Future[tuple[Any, ...]]] = set()

    def wait(self) -> asyncio.Future[tuple[Any, ...]]:
        """Return a future of what Blender passes next."""
        announced = announcements.next(_NOW_CALLED.get(self.name, self.name))
        future: asyncio.Future[tuple[Any, ...]] = current_loop.adopt().create_future()
        announced.add_done_callback(lambda _: _pass_on(announced, future))
        future.add_done_callback(lambda _: self._end(announced, future))
        self.futures.add(future)
        return future

    def fire(self, *args: Any) -> None:
        """Tell all who wait, as if Blender had."""
        for future in self.futures:
            if not future.done():
                future.set_result(args)

    def _end(self, announced: asyncio.Future[Any], future: asyncio.Future[Any]) -> None:
        announced.cancel()
        self.futures.discard(future)


def _pass_on(announced: asyncio.Future[Fired], future: asyncio.Future[tuple[Any, ...]]) -> None:
    if future.done():
        return
    if announced.cancelled():
        future.cancel()
    else:
        future.set_result(_arguments(announced.result()))


def _arguments(fired: Fired) -> tuple[Any, ...]:
    scene = bpy.data.scenes.get(fired.scene) if fired.scene is not None else None
    return tuple(value for value in (scene, fired.path, fired.text) if value is not None)
