"""The web server as add-ons see it: each hangs its addresses on it, as a site of its own."""

from aiobpy.web.site import Site, site

__all__ = ["Site", "site"]
