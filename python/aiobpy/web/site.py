"""An add-on's site: what it has hung on the web server, under a prefix of its own."""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiobpy import server
from aiobpy.web import serving
from aiobpy.web.binding import Binding
from aiobpy.web.events import Events
from aiobpy.web.held import Held
from aiobpy.web.mounting import Mounted
from aiobpy.web.request import Request
from aiobpy.web.routes import Result, Route, Scope, described, result_of
from aiobpy.web.websocket import WebSocket

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from aiobpy.web.mounting import Application

_Function = TypeVar("_Function", bound="Callable[..., Any]")

_ELEMENT: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")


@dataclass(frozen=True)
class Panel:
    """A panel for dashboards.

    Attributes:
        element: Its name in HTML.
        title: For a person.
        site: The name of its site.
        prefix: Where that begins.
        module: The address of the JavaScript that defines it.
        scope: What a client needs to load that.
    """

    element: str
    title: str
    site: str
    prefix: str
    module: str
    scope: Scope


class Site(Held):
    """What one add-on serves. Made by `aiobpy.web.site`."""

    @property
    def panels(self) -> list[Panel]:
        """Its panels for dashboards."""
        return list(self._panels.values())

    def get(
        self,
        pattern: str,
        *,
        scope: Scope = "read",
        cache: float | None = None,
        cancel_on_disconnect: bool = True,
        tool: bool = True,
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
            tool: Whether language models may call it, by the Model Context Protocol.

        Raises:
            TypeError: A parameter has no type, or one that no request can give.
            ValueError: The pattern cannot be used, or another function answers it.
        """
        return self._function("GET", pattern, scope, None, cache, cancel_on_disconnect, tool)

    def post(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
        tool: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `POST` as `get` does, and with a body.

        A parameter that is a dataclass, a `TypedDict` or a `dict`, or marked as in
        `Annotated[list[int], web.Body]`, is the body.

        Args:
            body_bytes: So many bytes of body at most; 1 MiB if left out.
        """
        return self._function("POST", pattern, scope, body_bytes, None, cancel_on_disconnect, tool)

    def put(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
        tool: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `PUT` as `post` does."""
        return self._function("PUT", pattern, scope, body_bytes, None, cancel_on_disconnect, tool)

    def patch(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
        tool: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `PATCH` as `post` does."""
        return self._function("PATCH", pattern, scope, body_bytes, None, cancel_on_disconnect, tool)

    def delete(
        self,
        pattern: str,
        *,
        scope: Scope = "control",
        body_bytes: int | None = None,
        cancel_on_disconnect: bool = True,
        tool: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Answer `DELETE` as `post` does."""
        return self._function(
            "DELETE", pattern, scope, body_bytes, None, cancel_on_disconnect, tool
        )

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

    def panel(
        self, element: str, module: str | os.PathLike[str], *, title: str, scope: Scope = "read"
    ) -> None:
        """Offer a panel for dashboards: a custom element that a JavaScript module defines.

        A dashboard finds it at `GET /api/v1/panels`, loads the module and makes the element, with
        the site's prefix as its attribute `site`.

        Args:
            element: Its name, with a hyphen as HTML wants it: `cup-panel`.
            module: A file of JavaScript that calls `customElements.define(element, …)`.
            title: For a person.
            scope: What a client needs.

        Raises:
            ValueError: The name is none of a custom element.
            OSError: The file cannot be read.
        """
        if not _ELEMENT.fullmatch(element):
            msg = f"{element!r} is no name of a custom element; use one like 'cup-panel'"
            raise ValueError(msg)
        pattern = f"/panels/{element}.js"
        source = pathlib.Path(module).read_bytes()
        self.publish(pattern, source, "text/javascript; charset=utf-8", scope=scope)
        self._panels[element] = Panel(
            element, title, self.name, self.prefix, f"{self.prefix}{pattern}", scope
        )

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

    def _function(
        self,
        method: str,
        pattern: str,
        scope: Scope,
        body_bytes: int | None,
        cache: float | None,
        cancel_on_disconnect: bool,
        tool: bool,
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
                tool,
                answer,
            )
            self._hang_up([route])
            return function

        return register


def _taken_body(binding: Binding, method: str, most: int | None) -> dict[str, Any]:
    if binding.takes_form:
        return {"kind": "form", "bytes": most}
    if binding.body is not None:
        kind = "json" if binding.body.content_type == "application/json" else "bytes"
        return {"kind": kind, "bytes": most}
    if method != "GET" and Request in binding.others.values():
        return {"kind": "stream"}
    return {"kind": "ignored"}


def _all_below(prefix: str) -> Iterable[str]:
    """Return the patterns of a prefix with and without a slash, and of all that lies below it."""
    return dict.fromkeys([prefix or "/", f"{prefix}/", f"{prefix}/{{*rest}}"])
