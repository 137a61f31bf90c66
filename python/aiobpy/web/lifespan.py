"""The life of an ASGI application: <https://asgi.readthedocs.io/en/latest/specs/lifespan.html>."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any

from aiobpy.web import problems

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from aiobpy.web.mounting import Application
    from aiobpy.web.serving import Room


class Stage(enum.Enum):
    """How far a life is."""

    UNBORN = enum.auto()
    STARTING = enum.auto()
    UP = enum.auto()
    """Or without a notion of a life."""
    FAILED = enum.auto()


class Lifespan:
    """Starts an application before its first request, and ends it.

    Attributes:
        state: What the application has put there as it started; each request gets a copy.
        failure: Why it could not start; None if it did.
    """

    def __init__(self, application: Application, name: str, room: Room) -> None:
        self.state: dict[str, Any] = {}
        self.failure: str | None = None
        self._application = application
        self._name = name
        self._room = room
        self._stage = Stage.UNBORN
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started: asyncio.Event
        self._ending: asyncio.Event

    @property
    def is_up(self) -> bool:
        """Whether requests may come, in the loop that runs."""
        return self._stage is Stage.UP and self._loop is asyncio.get_running_loop()

    async def ready(self) -> None:
        """Wait until requests may come.

        Raises:
            Problem: The application says that it cannot start.
        """
        self.begin()
        await self._started.wait()
        if self.failure is not None:
            raise problems.not_started(self.failure)

    def begin(self) -> None:
        """Start the application in the loop that runs, if it has not been."""
        loop = asyncio.get_running_loop()
        if self._stage is not Stage.UNBORN and self._loop is loop:
            return
        self._stage, self._loop = Stage.STARTING, loop
        self.state, self.failure = {}, None
        self._started, self._ending = asyncio.Event(), asyncio.Event()
        task = loop.create_task(self._live(), context=self._room.context.copy())
        self._room.life_tasks.add(task)
        task.add_done_callback(self._room.life_tasks.discard)

    def end(self) -> None:
        """Have the application shut down. It can be begun again."""
        if self._stage is not Stage.UNBORN:
            self._stage = Stage.UNBORN
            self._ending.set()

    async def _live(self) -> None:
        started, ending = self._started, self._ending
        is_first = True

        async def receive() -> MutableMapping[str, Any]:
            nonlocal is_first
            if is_first:
                is_first = False
                return {"type": "lifespan.startup"}
            try:
                await ending.wait()
            except asyncio.CancelledError:
                # As when the add-on is disabled: what it has begun is still put in order.
                _forget_cancellation()
            return {"type": "lifespan.shutdown"}

        async def send(message: MutableMapping[str, Any]) -> None:
            match message["type"]:
                case "lifespan.startup.complete":
                    self._come_up(started)
                case "lifespan.startup.failed":
                    self._fail(started, message.get("message") or "it does not say why")
                case "lifespan.shutdown.complete":
                    pass
                case "lifespan.shutdown.failed":
                    self._report(f"did not shut down well: {message.get('message', '')}")
                case kind:
                    msg = f"{kind!r} is no message of a life"
                    raise RuntimeError(msg)

        asgi = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": asgi, "state": self.state}
        try:
            await self._application(scope, receive, send)
        except Exception as error:
            # Before it has started, it is an application without a notion of a life.
            if started.is_set() and self.failure is None:
                self._report("failed as it shut down", error)
        finally:
            self._come_up(started)

    def _come_up(self, started: asyncio.Event) -> None:
        if not started.is_set():
            started.set()
            if started is self._started and self._stage is Stage.STARTING:
                self._stage = Stage.UP

    def _fail(self, started: asyncio.Event, failure: str) -> None:
        self.failure = failure
        self._stage = Stage.FAILED
        started.set()
        self._report(f"did not start: {failure}")

    def _report(self, what: str, error: BaseException | None = None) -> None:
        context: dict[str, Any] = {"message": f"the application at {self._name} {what}"}
        if error is not None:
            context["exception"] = error
        asyncio.get_running_loop().call_exception_handler(context)


def _forget_cancellation() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
