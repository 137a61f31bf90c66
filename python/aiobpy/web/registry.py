"""The sites that there are: whose is which name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from aiobpy import owners
from aiobpy.web.held import known
from aiobpy.web.site import Panel, Site

if TYPE_CHECKING:
    from aiobpy.web.routes import Scope

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
    return [site for site in known.values() if isinstance(site, Site) and site.is_up]


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
    site = known.get(f"/a/{name}")
    below = path.removeprefix(f"/a/{name}")
    if not isinstance(site, Site) or not site.is_up or not below.startswith("/"):
        msg = f"{path!r} is not below a site that is up; make one, as by `web.site('my_addon')`"
        raise ValueError(msg)
    if site.owner is not owners.current():
        msg = f"{path!r} is below the site of {site.owner.name}; publish below one of your own"
        raise ValueError(msg)
    site.publish(below, data, content_type, scope=scope)


def api_site() -> Site:
    """Return the site of aiobpy's own: what Blender offers below `/api/v1`. Not for add-ons."""
    return _site_of(owners.of("aiobpy"), "api", _API)


def _site_of(owner: owners.Owner, name: str, prefix: str) -> Site:
    before = known.get(prefix)
    if before is not None and before.is_up:
        if before.owner is owner:
            return cast("Site", before)
        msg = (
            f"the site {name!r} is that of {before.owner.name} already; name yours after your "
            "add-on, as in 'my_addon'"
        )
        raise ValueError(msg)
    if before is not None:
        before.close()
    known[prefix] = made = Site(name, prefix, owner)
    made.put_up()
    owner.on_enable(f"site {prefix}", made.put_up)
    return made


@api_site().get("/panels")
def panels() -> list[Panel]:
    """List the panels that add-ons offer to dashboards."""
    return [panel for site in sites() for panel in site.panels]
