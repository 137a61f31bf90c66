"""The site, and what add-ons put on it: a `BlendSite` has `WebOn`s."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import bpy
from aiohttp import web
from jinja2 import Environment, FileSystemLoader

from aiobpy import host
from aiobpy.compat.blendsite.gate import refuse_foreign_pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiobpy.compat.blendsite.gate import Handler

API_VERSION: Final = "v1"
_HERE: Final = Path(__file__).parent


@web.middleware
async def blendsite_basic_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give handlers and templates `request.blend_filepath` and `.blender_version_string`."""
    vars(request).update(
        blend_filepath=bpy.data.filepath, blender_version_string=bpy.app.version_string
    )
    return await handler(request)


with warnings.catch_warnings():
    # aiohttp advises against subclasses of its application; that BlendSite is one is its API.
    warnings.simplefilter("ignore", DeprecationWarning)

    class BlendSite(web.Application):
        """A web server on loopback. Add the `WebOn`s, then start it: `await site.start()`.

        Attributes:
            port: On which it listens; with 0, the system chooses, and `start` sets it.
        """

        ATTRS = web.Application.ATTRS | {"port", "_serving"}
        port = 9090

        def __init__(self) -> None:
            super().__init__(middlewares=[refuse_foreign_pages, blendsite_basic_middleware])
            self._serving: asyncio.Task[None] | None = None

        def __init_subclass__(cls) -> None:
            """Say nothing: a site with a port of its own is a subclass."""

        async def start(self) -> None:
            """Listen, and serve from now on: until `stop`, or until the add-on is disabled.

            Raises:
                OSError: Something else listens on the port.
                RuntimeError: It serves already.
            """
            if self._serving is not None and not self._serving.done():
                raise RuntimeError(f"this BlendSite serves already, at {self.address}")
            listening = asyncio.get_running_loop().create_future()
            self._serving = host.spawn(self._serve(listening), name="BlendSite")
            try:
                await listening
            except asyncio.CancelledError:
                self._serving.cancel()
                raise

        async def stop(self) -> None:
            """Close all connections and listen no more."""
            if self._serving is not None:
                self._serving.cancel()
                await asyncio.wait([self._serving])

        @property
        def address(self) -> str:
            """As in `http://127.0.0.1:9090`."""
            return f"http://127.0.0.1:{self.port}"

        async def _serve(self, listening: asyncio.Future[None]) -> None:
            runner = web.AppRunner(self, handle_signals=False, access_log=None)
            try:
                await runner.setup()
                await self._listen(runner)
                listening.set_result(None)
                await asyncio.Event().wait()
            except Exception as error:
                if not listening.done():
                    listening.set_exception(error)
            finally:
                listening.cancel()
                await runner.cleanup()

        async def _listen(self, runner: web.AppRunner) -> None:
            try:
                await web.TCPSite(runner, "127.0.0.1", self.port).start()
            except OSError as error:
                error.add_note(f"give your BlendSite another `port` than {self.port}, or 0")
                raise
            self.port = runner.addresses[0][1]


class WebOn:
    """What an add-on puts on a site: pages, files, a REST interface.

    Args:
        app: The site. Put everything on it before it is started.

    Attributes:
        root_redirect: Where `/` leads. The first WebOn of a site decides.
        template_paths: The folders in which templates are looked for.
    """

    root_redirect = "/basic/"

    def __init__(self, app: BlendSite) -> None:
        self.app = app
        self.template_paths = [str(_HERE / "templates")]
        if not any(resource.canonical == "/" for resource in app.router.resources()):
            app.router.add_get("/", self.root_redirect_handler)

    def serve_static(self, name: str, path: str) -> None:
        """Serve the files of a folder, and nothing outside it, at `/static/<name>/`.

        Raises:
            ValueError: There is no such folder.
        """
        self.app.router.add_static(f"/static/{name}", path)

    async def root_redirect_handler(self, _request: web.Request) -> web.StreamResponse:
        """Lead on from `/`."""
        raise web.HTTPFound(self.root_redirect)

    def render_to_string(self, template_name: str, context: Mapping[str, Any] | None = None) -> str:
        """Return a template with the values of `context`, escaped for HTML."""
        templates = Environment(loader=FileSystemLoader(self.template_paths), autoescape=True)
        return templates.get_template(template_name).render(context or {})

    def render_to_response(
        self,
        template_name: str,
        context: Mapping[str, Any] | None = None,
        request: web.Request | None = None,
    ) -> web.Response:
        """Answer with a template; it sees `request` besides `context`."""
        text = self.render_to_string(template_name, {**(context or {}), "request": request})
        return web.Response(text=text, content_type="text/html")


class BasicWebOn(WebOn):
    """The page `/basic/`: what this Blender is and has open."""

    def __init__(self, app: BlendSite) -> None:
        super().__init__(app)
        self.serve_static("basic", str(_HERE / "static"))
        app.router.add_get("/basic/", self.index)

    async def index(self, request: web.Request) -> web.Response:
        """Answer with the page."""
        names = {"objects": bpy.data.objects.keys(), "texts": bpy.data.texts.keys()}
        return self.render_to_response("basic/index.html", names, request)
