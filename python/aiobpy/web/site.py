"""An add-on's site: what it has hung on the web server, under a prefix of its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from aiobpy import owners, server
from aiobpy.web import serving

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

_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*", re.IGNORECASE)


class Site:
    """What one add-on serves. Made by `aiobpy.web.site`."""

    def __init__(self, prefix: str, owner: owners.Owner) -> None:
        self.prefix = prefix
        self.owner = owner
        self._routes: list[dict[str, Any]] = []

    def mount(self, prefix: str, application: Application) -> None:
        """Hang an ASGI application below a prefix of the site.

        Args:
            prefix: As in `/api`; empty or `/` for the whole of the site.
            application: Any ASGI 3 application, as of Starlette, FastAPI or Django.
        """

        async def answer(exchange: Exchange) -> None:
            scope = exchange.scope()
            scope["root_path"] = exchange.prefix + prefix.rstrip("/")
            await application(scope, exchange.receive, exchange.send)

        number = serving.add(answer, self.owner)
        below = prefix.rstrip("/")
        for pattern in (below or "/", f"{below}/{{*rest}}"):
            handler = {"kind": "handler", "handler": number, "takes": "both"}
            self._routes.append({"pattern": pattern, "answer": handler})
        self._put()

    def _put(self) -> None:
        server.put_site(self.prefix, json.dumps({"prefix": self.prefix, "routes": self._routes}))


def site(name: str) -> Site:
    """Return a new site of the calling add-on, served below `/a/{name}/`.

    Raises:
        ValueError: The name cannot stand in an address.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name!r} cannot stand in an address; use letters, digits, `_` and `-`"
        raise ValueError(msg)
    return Site(f"/a/{name}", owners.current())
