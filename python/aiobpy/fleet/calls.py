"""Calls of another Blender's methods over REST, each followed to its end as an operation."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from aiobpy.fleet.asking import Asking
from aiobpy.fleet.errors import Details, FleetError, Refused, Unreachable, refusal
from aiobpy.fleet.jobs import FAREWELL
from aiobpy.fleet.streams import Event, EventReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping

    from aiobpy.fleet.addresses import Address

    OnProgress = Callable[[float | None, str], object]
    Why = Callable[[Unreachable], Awaitable[FleetError]]

_EVENTS = {"Accept": "text/event-stream"}


class Calls:
    """Asks one server; whoever asks hears why if it has gone.

    Args:
        address: Where it is.
        why: Returns what to raise when it cannot be reached.
    """

    def __init__(self, address: Address, why: Why) -> None:
        self._server = Asking(address, patience=0.0, connect_timeout=10.0, tls=None)
        self._why = why

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    async def ask(self, method: str, path: str, value: Any = None, **headers: str) -> Any:
        """Return the JSON value of an answer."""
        try:
            return await self._server.ask(method, path, value, headers=headers)
        except Unreachable as error:
            raise await self._why(error) from error

    async def call(
        self, method: str, params: Mapping[str, Any], on_progress: OnProgress | None = None
    ) -> Any:
        """Call a method and return what it returns; see `Instance.call`."""
        path = f"/api/v1/rpc/{method}"
        operation = await self.ask("POST", path, dict(params), Prefer="respond-async")
        path = f"/api/v1/operations/{operation['id']}"
        try:
            operation = await self._follow(path, operation, on_progress)
        except asyncio.CancelledError:
            with contextlib.suppress(FleetError, OSError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self.ask("DELETE", path)
            raise
        if operation["state"] == "finished":
            return operation.get("result")
        problem = Details.read(500, operation.get("problem") or {})
        raise refusal(problem) if operation["state"] == "failed" else Refused(problem)

    async def events(self, topics: Iterable[str]) -> AsyncGenerator[Event, None]:
        """Yield what is published, until the server has gone."""
        path = "/api/v1/events?topics=" + ",".join(topics)
        last_seen: str | None = None
        while True:
            headers = _EVENTS if last_seen is None else {**_EVENTS, "Last-Event-ID": last_seen}
            try:
                async with self._server.answer("GET", path, headers=headers) as answer:
                    async for message in EventReader(answer):
                        last_seen = message.id
                        yield Event.read(message)
            except Unreachable:
                return

    async def _follow(
        self, path: str, operation: dict[str, Any], on_progress: OnProgress | None
    ) -> dict[str, Any]:
        told: tuple[float | None, str] = (None, "")
        while operation["state"] == "running":
            try:
                async with self._server.answer("GET", f"{path}/events", headers=_EVENTS) as answer:
                    async for message in EventReader(answer):
                        operation = json.loads(message.data)
                        # The last word comes with the end, if it was said just before.
                        now = (operation.get("progress"), operation.get("message") or "")
                        if on_progress is not None and now != told:
                            told = now
                            on_progress(*now)
            except Unreachable as error:
                raise await self._why(error) from error
        return operation


class Rpc:
    """Methods as attributes: `await other.rpc.captions.build("Hello", seconds=2)`.

    Args:
        calls: Where they are called.
        methods: Their names, with those of their parameters in order.
        name: Up to here.
    """

    def __init__(self, calls: Calls, methods: Mapping[str, list[str]], name: str = "") -> None:
        self._calls = calls
        self._methods = methods
        self._name = name

    def __getattr__(self, part: str) -> Rpc:
        if part.startswith("__"):
            raise AttributeError(part)
        return Rpc(self._calls, self._methods, f"{self._name}.{part}" if self._name else part)

    async def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it; see `Instance.call`.

        Raises:
            TypeError: There are more arguments than parameters, or one is given twice.
        """
        names = self._methods.get(self._name, [])
        if len(arguments) > len(names):
            msg = f"{self._name} takes {len(names)} arguments, and {len(arguments)} are given"
            raise TypeError(msg)
        params = dict(zip(names, arguments, strict=False))
        if twice := params.keys() & keywords.keys():
            msg = f"{self._name} is given {min(twice)!r} twice"
            raise TypeError(msg)
        return await self._calls.call(self._name, {**params, **keywords})

    def __repr__(self) -> str:
        return f"<method {self._name!r} of another Blender>"
