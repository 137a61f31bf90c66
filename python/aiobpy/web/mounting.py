"""ASGI applications below a prefix: <https://asgi.readthedocs.io/en/latest/specs/>."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from aiobpy import server
from aiobpy.web import problems
from aiobpy.web.lifespan import Lifespan
from aiobpy.web.serving import fail, finish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from aiobpy._native import Exchange
    from aiobpy.web.serving import Room

    Message = MutableMapping[str, Any]
    Application = Callable[
        [
            MutableMapping[str, Any],
            Callable[[], Awaitable[Message]],
            Callable[[Message], Awaitable[None]],
        ],
        Awaitable[None],
    ]


class Mounted:
    """Has an application answer requests, and lives as long as its site and the server do."""

    def __init__(self, application: Application, root_path: str, room: Room) -> None:
        self.lifespan = Lifespan(application, root_path, room)
        self._application = application
        self._root_path = root_path
        self._room = room
        room.lives.add(self.lifespan)
        server.watch(self)

    def __call__(self, exchange: Exchange) -> None:
        self._room.start(exchange, self._run(exchange), self._room.context_of(exchange))

    def server_started(self) -> None:
        """Start the application before its first request. Called in the loop."""
        if self.lifespan in self._room.lives and self._room.is_open:
            self.lifespan.begin()

    def server_stopped(self) -> None:
        """End the application."""
        self.lifespan.end()

    def close(self) -> None:
        """End the application for good."""
        server.unwatch(self)
        self._room.lives.discard(self.lifespan)
        self.lifespan.end()

    async def _run(self, exchange: Exchange) -> None:
        try:
            if not self.lifespan.is_up:
                await self.lifespan.ready()
            scope = exchange.scope(self._root_path)
            scope["state"] = self.lifespan.state.copy()
            await self._application(scope, exchange.receive, exchange.send)
            finish(exchange, functools.partial(problems.no_answer, exchange))
        except BaseException as error:
            fail(exchange, error)
            if not isinstance(error, Exception):
                raise
        finally:
            exchange.end()
