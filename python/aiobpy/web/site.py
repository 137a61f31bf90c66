"""An add-on's site: what it has hung on the web server, under a prefix of its own."""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiobpy import owners, server
from aiobpy.web import serving
from aiobpy.web.binding import Binding
from aiobpy.web.events import Events
from aiobpy.web.mounting import Mounted
from aiobpy.web.request import Request
from aiobpy.web.routes import Result, Route, Scope, described, result_of
from aiobpy.web.websocket import WebSocket

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from aiobpy._native import Snapshot
    from aiobpy.web.mounting import Application

_Function = TypeVar("_Function", bound="Callable[..., Any]")

_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*", re.IGNORECASE)
_API: Final = "/api/v1"


def site(name: str) -> Site:
    """Return the site of the calling add-on that is served below `/a/{name}/`; make it if need be.

    It is served for as long as the add-on is enabled, whenever the web server is on.

    Raises:
        ValueError: The name cannot stand in an address, or is that of another add-on's site.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name!r} cannot stand in an address; use letters, digits, `_` and `-`"
        raise ValueError(msg)
    return _site_of(owners.current(), name, f"/a/{name}")


def sites() -> list[Site]:
    """Return the sites that are up."""
    return [site for site in _sites.values() if site.is_up]


def publish(
    path: str,
    data: bytes,
    content_type: str = "application/octet-stream",
    *,
    scope: Scope = "read",
) -> None:
    """Put the latest state of something at an address of the calling add-on: see `Site.publish`.

    Args:
        path: As in `/a/my_addon/viewport.jpg`, below a site of the add-on.
        data: The whole of it.
        content_type: As in `image/jpeg`.
        scope: What a client needs; it counts when something is put there first.

    Raises:
        ValueError: The path is not below a site of the add-on, or cannot be used.
    """
    name = path.removeprefix("/a/").partition("/")[0]
    site = _sites.get(f"/a/{name}")
    below = path.removeprefix(f"/a/{name}")
    if site is None or not site.is_up or not below.startswith("/"):
        msg = f"{path!r} is not below a site that is up; make one, as by `web.site('my_addon')`"
        raise ValueError(msg)
    if site.owner is not owners.current():
        msg = f"{path!r} is below the site of {site.owner.name}; publish below one of your own"
        raise ValueError(msg)
    site.publish(below, data, content_type, scope=scope)


def api_site() -> Site:
    """Return the site of aiobpy's own: what Blender offers below `/api/v1`. Not for add-ons."""
    return _site_of(owners.of("aiobpy"), "api", _API)


class Site:
    """What one add-on serves. Made by `aiobpy.web.site`.

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

    def get(
        self,
        pattern: str,
        *,
        scope: Scope = "read",
        cache: float | None = None,
        cancel_on_disconnect: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `GET` and `HEAD` by what the decorated function returns, sync or async.

        Names in the pattern are the function's parameters of that name; its other parameters come
        from the query. It returns what JSON can say, a `str`, `bytes`, an `aiobpy.Image`, None, a
        `Response`, a `Stream` or a `File`, or raises an `aiobpy.Problem`.

        Args:
            pattern: As in `/objects/{name}`; `{*rest}` takes all that follows.
            scope: What a client needs: read, control, files, exec or admin.
            cache: For so many seconds, an answer is given again without asking Python.
            cancel_on_disconnect: Whether a coroutine is cancelled when its client goes.

        Raises:
            TypeError: A parameter has no type, or one that no request can give.
            ValueError: The pattern cannot be used, or another function answers it.
        """
        return self._function("GET", pattern, scope, None, cache, cancel_on_disconnect)

    def post(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `POST` as `get` does, and with a body.

        A parameter that is a dataclass, a `TypedDict` or a `dict`, or marked as in
        `Annotated[list[int], web.Body]`, is the body.

        Args:
            body_bytes: So many bytes of body at most; 1 MiB if left out.
        """
        return self._function("POST", pattern, scope, body_bytes, None, cancel_on_disconnect)

    def put(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `PUT` as `post` does."""
        return self._function("PUT", pattern, scope, body_bytes, None, cancel_on_disconnect)

    def patch(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `PATCH` as `post` does."""
        return self._function("PATCH", pattern, scope, body_bytes, None, cancel_on_disconnect)

    def delete(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `DELETE` as `post` does."""
        return self._function("DELETE", pattern, scope, body_bytes, None, cancel_on_disconnect)

    def static(
        self,
        prefix: str,
        folder: str | os.PathLike[str],
        *,
        spa: bool = False,
        scope: Scope = "read",
    ) -> None:
        """Serve the files below a folder, without waking Python.

        Files are asked about by ETag and date, come in parts, and compressed if `name.br` or
        `name.gz` lies beside `name`. A folder is answered with its `index.html`. Names that begin
        with a dot, and links that lead out of the folder, are not served.

        Args:
            prefix: As in `/ui`; empty or `/` for the whole of the site.
            folder: Where the files are; relative to the current folder, if it is not absolute.
            spa: Whether an address that is no file, and has no extension, is answered with
                `index.html`, for pages that route by themselves.
            scope: What a client needs: read, control, files, exec or admin.

        Raises:
            NotADirectoryError: There is no such folder.
            ValueError: The prefix cannot be used.
        """
        path = pathlib.Path(folder).absolute()
        if not path.is_dir():
            msg = f"there is no folder {str(path)!r}, for {self.prefix}{prefix} to serve"
            raise NotADirectoryError(msg)
        below = prefix.rstrip("/")
        answer = {"kind": "folder", "folder": str(path), "is_single_page": spa}
        self._hang_up(
            Route(
                "folder", "", pattern, None, scope, summary=f"Files of {path.name}", answer=answer
            )
            for pattern in _all_below(below)
        )

    def websocket(
        self, pattern: str, *, scope: Scope = "control"
    ) -> Callable[[_Function], _Function]:
        """Answer WebSockets by a coroutine function that takes a `web.WebSocket`.

        Its other parameters are as those of `get`. When it returns, the WebSocket is closed. It is
        cancelled if the client goes while it waits for something else than a message.

        Raises:
            TypeError: It takes no `WebSocket`, or a parameter has no type.
            ValueError: The pattern cannot be used, or another function answers it.
        """

        def register(function: _Function) -> _Function:
            self._check_is_free("GET", pattern, function)
            binding = Binding(function, "GET", pattern)
            if WebSocket not in binding.others.values():
                msg = f"{function.__qualname__} has no parameter of the type `web.WebSocket`"
                raise TypeError(msg)
            number = serving.add(serving.SocketHandler(function, binding, self._room))
            answer = {"kind": "handler", "handler": number, "takes": "websockets"}
            summary, description = described(function)
            route = Route(
                "websocket",
                "GET",
                pattern,
                function,
                scope,
                tuple(binding.parameters),
                summary=summary,
                description=description,
                answer=answer,
            )
            self._hang_up([route])
            return function

        return register

    def events(
        self, pattern: str, *, scope: Scope = "read", keep: int = 1024, summary: str = ""
    ) -> Events:
        """Have clients follow what happens, as server-sent events.

        Args:
            pattern: As in `/events`.
            scope: What a client needs.
            keep: So many events are kept for clients that come back, of 4 MiB at most.
            summary: What is told there, for the documentation.

        Raises:
            ValueError: The pattern cannot be used.
        """
        feed = server.sites.feed(keep)
        answer = {"kind": "events", "source": feed.number}
        result = Result(200, "text/event-stream", {})
        self._hang_up(
            [
                Route(
                    "events",
                    "GET",
                    pattern,
                    None,
                    scope,
                    result=result,
                    summary=summary,
                    answer=answer,
                )
            ]
        )
        return Events(feed)

    def publish(
        self,
        pattern: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        *,
        scope: Scope = "read",
    ) -> None:
        """Put the latest state of something at an address, and send it to all who follow that.

        It is served by Rust. A client follows it by a WebSocket, or as server-sent events if it
        accepts `text/event-stream`; who is slow misses what has been replaced meanwhile. May be
        called in any thread once something is there.

        Args:
            pattern: As in `/viewport.jpg`.
            data: The whole of it.
            content_type: Texts and JSON are followed as text, all else as bytes.
            scope: What a client needs; it counts when something is put there first.

        Raises:
            ValueError: The pattern cannot be used, or a function answers it.
        """
        snapshot = self._snapshots.get(pattern)
        if snapshot is None:
            self._check_is_free("GET", pattern, None)
            snapshot = server.sites.snapshot()
            snapshot.publish(data, content_type)
            answer = {"kind": "snapshot", "source": snapshot.number}
            result = Result(200, content_type, {})
            self._hang_up(
                [Route("snapshot", "GET", pattern, None, scope, result=result, answer=answer)]
            )
            self._snapshots[pattern] = snapshot
        else:
            snapshot.publish(data, content_type)

    def mount(self, prefix: str, application: Application, *, scope: Scope = "control") -> None:
        """Hang an ASGI application below a prefix of the site.

        Args:
            prefix: As in `/api`; empty or `/` for the whole of the site.
            application: Any ASGI 3 application, as of Starlette, FastAPI or Django.
            scope: What a client needs, whatever the method.
        """
        below = prefix.rstrip("/")
        number = serving.add(Mounted(application, self.prefix + below, self._room))
        answer = {"kind": "handler", "handler": number, "takes": "both"}
        self._hang_up(
            Route("application", "", pattern, None, scope, answer=answer)
            for pattern in _all_below(below)
        )

    def close(self) -> None:
        """Serve it no more. Requests under way are cancelled, and answered with a 503."""
        self._take_down()
        for route in self.routes:
            _forget_handler(route)
        self._routes.clear()
        self._snapshots.clear()
        if _sites.get(self.prefix) is self:
            del _sites[self.prefix]

    def _function(
        self,
        method: str,
        pattern: str,
        scope: Scope,
        body_bytes: int | None,
        cache: float | None,
        cancel_on_disconnect: bool,
    ) -> Callable[[_Function], _Function]:
        def register(function: _Function) -> _Function:
            self._check_is_free(method, pattern, function)
            binding = Binding(function, method, pattern)
            if cache is not None and binding.others:
                msg = (
                    f"an answer of {function.__qualname__} that depends on the request cannot be "
                    "given to others; leave out `cache`, or take typed parameters instead"
                )
                raise TypeError(msg)
            handler = serving.FunctionHandler(
                function, binding, self._room, cancel_on_disconnect=cancel_on_disconnect
            )
            answer = {
                "kind": "handler",
                "handler": serving.add(handler),
                "body": _taken_body(binding, method, body_bytes),
                "cache_seconds": cache,
            }
            summary, description = described(function)
            route = Route(
                "function",
                method,
                pattern,
                function,
                scope,
                tuple(binding.parameters),
                binding.body,
                result_of(function),
                summary,
                description,
                cache,
                answer,
            )
            self._hang_up([route])
            return function

        return register

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

    def _put_up(self) -> None:
        """Serve it until its owner goes."""
        if not self.is_up and _sites.get(self.prefix) is self:
            self.is_up = self._room.is_open = True
            self._forget = self.owner.on_release(self._take_down)
            self._put(self._routes)

    def _take_down(self) -> None:
        if self.is_up:
            self.is_up = False
            self._forget()
            server.sites.remove(self.prefix)
            self._room.close()


_sites: dict[str, Site] = {}


def _site_of(owner: owners.Owner, name: str, prefix: str) -> Site:
    before = _sites.get(prefix)
    if before is not None and before.is_up:
        if before.owner is owner:
            return before
        msg = (
            f"the site {name!r} is that of {before.owner.name} already; name yours after your "
            "add-on, as in 'my_addon'"
        )
        raise ValueError(msg)
    if before is not None:
        before.close()
    _sites[prefix] = made = Site(name, prefix, owner)
    made._put_up()
    owner.on_enable(f"site {prefix}", made._put_up)
    return made


def _taken_body(binding: Binding, method: str, most: int | None) -> dict[str, Any]:
    if binding.takes_form:
        return {"kind": "form", "bytes": most}
    if binding.body is not None:
        kind = "json" if binding.body.content_type == "application/json" else "bytes"
        return {"kind": kind, "bytes": most}
    if method != "GET" and Request in binding.others.values():
        return {"kind": "stream"}
    return {"kind": "ignored"}


def _forget_handler(route: Route) -> None:
    if route.handler is not None:
        serving.remove(route.handler)


def _origin_of(function: Callable[..., Any] | None) -> str:
    return (
        "an application" if function is None else f"{function.__module__}.{function.__qualname__}"
    )


def _all_below(prefix: str) -> Iterable[str]:
    """Return the patterns of a prefix with and without a slash, and of all that lies below it."""
    return dict.fromkeys([prefix or "/", f"{prefix}/", f"{prefix}/{{*rest}}"])
