"""Who may ask: programs on this computer, and pages that this very server has sent.

Any page in any browser can have the browser send requests to a port of this computer. The browser
says whose page it was; and a name that has been made to lead here is in `Host`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def refuse_foreign_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to what a page of somebody else has the browser ask."""
    # The connection's own port: that of the site may be chosen by the system.
    transport = request.transport
    port = transport.get_extra_info("sockname")[1] if transport else None
    if reason := why_refused(request.headers, port):
        raise web.HTTPForbidden(text=f"{reason}\n")
    return await handler(request)


def why_refused(headers: Mapping[str, str], port: int | None) -> str | None:
    """Return why a request is not answered, or None if it is.

    Args:
        headers: Of the request.
        port: On which it came in.
    """
    host = headers.get("Host", "")
    if not _is_here(f"//{host}", port):
        return f"The host {host!r} is not this Blender: ask 127.0.0.1:{port}"
    origin = headers.get("Origin")
    if origin is not None and not (origin.startswith("http://") and _is_here(origin, port)):
        return f"A page from {origin!r} asked; only pages that come from here may"
    if headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return "A page from elsewhere asked; only pages that come from here may"
    return None


def _is_here(address: str, port: int | None) -> bool:
    try:
        parts = urlsplit(address)
        return parts.hostname in _LOOPBACK and (parts.port or 80) == port
    except ValueError:
        return False


_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
