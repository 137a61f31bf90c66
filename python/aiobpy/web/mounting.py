"""ASGI applications below a prefix: <https://asgi.readthedocs.io/en/latest/specs/>."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobpy.web import problems
from aiobpy.web.serving import Room, fail, refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from aiobpy._native import Exchange

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
    """Has an application answer requests."""

    def __init__(self, application: Application, root_path: str, room: Room) -> None:
        self.application = application
        self.root_path = root_path
        self.room = room

    def __call__(self, exchange: Exchange) -> None:
        self.room.start(self._run(exchange), self.room.context.copy())

    async def _run(self, exchange: Exchange) -> None:
        try:
            scope = exchange.scope()
            scope["root_path"] = self.root_path
            await self.application(scope, exchange.receive, exchange.send)
            if not exchange.has_started:
                refuse(exchange, problems.no_answer(exchange))
        except BaseException as error:
            fail(exchange, error)
            if not isinstance(error, Exception):
                raise
        finally:
            exchange.end()
