"""What an add-on has hung on the web server: put up and taken down with the add-on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiobpy import server
from aiobpy.web import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiobpy import owners
    from aiobpy._native import Snapshot
    from aiobpy.web.routes import Route


class Held:
    """The routes of a site, and whether they are served.

    Attributes:
        name: As it was given.
        prefix: Where it begins, as in `/a/my_addon`.
        owner: Whose it is.
        is_up: Whether it is served, whenever the web server is on.
    """

    def __init__(self, name: str, prefix: str, owner: owners.Owner) -> None:
        self.name = name
        self.prefix = prefix
        self.owner = owner
        self.is_up = False
        self._policy: str | None = None
        self._routes: dict[tuple[str, str], Route] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._panels: dict[str, Any] = {}
        self._room = serving.Room(owner)
        self._forget: Callable[[], object] = lambda: None

    @property
    def content_security_policy(self) -> str | None:
        """What the pages of this site may load; None for what comes from this server alone.

        As the header `Content-Security-Policy` has it. Who may frame them is not theirs to say:
        nobody.
        """
        return self._policy

    @content_security_policy.setter
    def content_security_policy(self, policy: str | None) -> None:
        self._policy = policy
        self._put(self._routes)

    def __repr__(self) -> str:
        return f"<Site {self.prefix} of {self.owner.name}>"

    @property
    def failures(self) -> list[str]:
        """Why applications of it could not start."""
        return [life.failure for life in self._room.lives if life.failure is not None]

    async def settled(self) -> None:
        """Wait until no request of it is under way, and its applications have ended.

        For tests: after the web server was stopped.
        """
        await self._room.settled()

    @property
    def routes(self) -> list[Route]:
        """What it answers, in the order in which it was hung up."""
        return list(self._routes.values())

    def close(self) -> None:
        """Serve it no more. Requests under way are cancelled, and answered with a 503."""
        self._take_down()
        for route in self.routes:
            _forget_handler(route)
        self._routes.clear()
        self._snapshots.clear()
        self._panels.clear()
        if known.get(self.prefix) is self:
            del known[self.prefix]

    def _check_is_free(
        self, method: str, pattern: str, function: Callable[..., Any] | None
    ) -> None:
        before = self._routes.get((method, pattern))
        if before is not None and _origin_of(before.function) != _origin_of(function):
            msg = (
                f"{method} {self.prefix}{pattern} is answered by {_origin_of(before.function)} "
                "already; choose another pattern"
            )
            raise ValueError(msg)

    def _hang_up(self, routes: Iterable[Route]) -> None:
        new = {(route.method, route.pattern): route for route in routes}
        together = {**self._routes, **new}
        try:
            self._put(together)
        except ValueError:
            for route in new.values():
                _forget_handler(route)
            raise
        for key in new.keys() & self._routes.keys():
            _forget_handler(self._routes[key])
        self._routes = together

    def _put(self, routes: dict[tuple[str, str], Route]) -> None:
        if not self.is_up:
            return
        wire = [route.to_wire() for route in routes.values()]
        description: dict[str, Any] = {"prefix": self.prefix, "routes": wire}
        if self._policy is not None:
            description["content_security_policy"] = self._policy
        server.sites.put(json.dumps(description))

    def put_up(self) -> None:
        """Serve it until its owner goes."""
        if not self.is_up and known.get(self.prefix) is self:
            self.is_up = self._room.is_open = True
            self._forget = self.owner.on_release(self._take_down)
            self._put(self._routes)

    def _take_down(self) -> None:
        if self.is_up:
            self.is_up = False
            self._forget()
            server.sites.remove(self.prefix)
            self._room.close()


known: dict[str, Held] = {}
"""By prefix; also those that are down."""


def _forget_handler(route: Route) -> None:
    if route.handler is not None:
        serving.remove(route.handler)


def _origin_of(function: Callable[..., Any] | None) -> str:
    return (
        "an application" if function is None else f"{function.__module__}.{function.__qualname__}"
    )
