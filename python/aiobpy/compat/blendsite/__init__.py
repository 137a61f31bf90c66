"""The names of `blendsite`: a small web framework inside Blender, on aiohttp and jinja2.

Those two are yours to bring along. The server listens on loopback and answers only pages of its
own; aiobpy's own server (`@aiobpy.rpc`) needs neither package, and asks programs for a token.
"""

try:
    import aiohttp as _aiohttp
    import jinja2 as _jinja2
except ModuleNotFoundError as error:
    if error.name not in {"aiohttp", "jinja2", "markupsafe"}:
        raise
    msg = (
        f"aiobpy.compat.blendsite needs the package {error.name!r}, which is not installed; an"
        " extension lists the wheels of aiohttp and jinja2, and of what they need, in its manifest"
    )
    raise ImportError(msg, name=error.name) from error

from aiobpy.compat.blendsite.rest import (
    BlenderEncoder,
    BlenderResource,
    RESTHandler,
    RESTWebOn,
    TextResource,
)
from aiobpy.compat.blendsite.site import (
    API_VERSION,
    BasicWebOn,
    BlendSite,
    WebOn,
    blendsite_basic_middleware,
)

__all__ = [
    "API_VERSION",
    "BasicWebOn",
    "BlendSite",
    "BlenderEncoder",
    "BlenderResource",
    "RESTHandler",
    "RESTWebOn",
    "TextResource",
    "WebOn",
    "blendsite_basic_middleware",
]

del _aiohttp, _jinja2
