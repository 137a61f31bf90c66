"""The web server as add-ons see it: each hangs its addresses on it, as a site of its own."""

from aiobpy.tracing import trace
from aiobpy.web.binding import Body, BodyParameter, Parameter
from aiobpy.web.events import Events
from aiobpy.web.forms import Field, Form, Upload
from aiobpy.web.registry import publish, site, sites
from aiobpy.web.request import Request
from aiobpy.web.responses import File, Response, Stream
from aiobpy.web.routes import Result, Route
from aiobpy.web.site import Panel, Site
from aiobpy.web.websocket import WebSocket

__all__ = [
    "Body",
    "BodyParameter",
    "Events",
    "Field",
    "File",
    "Form",
    "Panel",
    "Parameter",
    "Request",
    "Response",
    "Result",
    "Route",
    "Site",
    "Stream",
    "Upload",
    "WebSocket",
    "publish",
    "site",
    "sites",
    "trace",
]
