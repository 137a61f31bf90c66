"""Data of Blender as resources: `GET /rest/v1/text`, `GET` and `PUT /rest/v1/text/<name>`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import bpy
from aiohttp import web

from aiobpy.compat.blendsite.site import API_VERSION, WebOn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aiobpy.compat.blendsite.site import BlendSite


class BlenderResource:
    """A kind of things that have names. Override what it can do; `KeyError` says: no such thing.

    Attributes:
        resource_name: As in `/rest/v1/<resource_name>`.
    """

    resource_name: ClassVar[str]

    def items(self) -> Iterable[dict[str, Any]]:
        """Return a reference to each, as `make_reference` makes them."""
        raise NotImplementedError

    def serialize(self, name: str) -> dict[str, Any]:
        """Return one, whole."""
        raise NotImplementedError

    def put(self, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Change one; return what to answer."""
        raise NotImplementedError

    def make_reference(self, instance: Any) -> dict[str, Any]:
        """Return the name of a thing, and where it is."""
        url = f"/rest/{API_VERSION}/{self.resource_name}/{quote(instance.name, safe='')}"
        return {"name": instance.name, "url": url}


class TextResource(BlenderResource):
    """Text data-blocks: `name` and `content`."""

    resource_name = "text"

    def items(self) -> Iterator[dict[str, Any]]:
        """Return a reference to each."""
        return map(self.make_reference, bpy.data.texts)

    def serialize(self, name: str) -> dict[str, Any]:
        """Return name and content."""
        text = bpy.data.texts[name]
        return {"name": text.name, "content": text.as_string()}

    def put(self, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Change the name, the content, or both."""
        text = bpy.data.texts[name]
        if "name" in data:
            text.name = str(data["name"])
        if "content" in data:
            text.from_string(str(data["content"]))
        return {}


class BlenderEncoder(json.JSONEncoder):
    """Writes a data-block as its name, and Blender's arrays and vectors as lists."""

    def default(self, obj: Any) -> Any:
        """Return what to write for something that JSON does not know."""
        if isinstance(obj, bpy.types.ID):
            return {"name": obj.name}
        if not isinstance(obj, (bytes, bytearray)) and hasattr(obj, "__getitem__"):
            return list(obj)
        return super().default(obj)


class RESTWebOn(WebOn):
    """The REST interface of a site.

    Attributes:
        rest_handler: Register resources there.
    """

    def __init__(self, app: BlendSite) -> None:
        super().__init__(app)
        self.rest_handler = RESTHandler()
        whole = r"/rest/{api:v\d+}/{resource}"
        app.router.add_get(whole, self.rest_handler.handle_list)
        app.router.add_get(whole + "/{name:.*}", self.rest_handler.handle_resource)
        app.router.add_put(whole + "/{name:.*}", self.rest_handler.put)


class RESTHandler:
    """Answers for resources.

    Attributes:
        resources: By name.
    """

    def __init__(self) -> None:
        self.resources: dict[str, BlenderResource] = {}

    def register_resource(self, cls: type[BlenderResource]) -> None:
        """Offer a resource."""
        self.resources[cls.resource_name] = cls()

    def register_resources(self, cls_set: Iterable[type[BlenderResource]]) -> None:
        """Offer several."""
        for cls in cls_set:
            self.register_resource(cls)

    def get_resource_class(self, resource: str) -> BlenderResource:
        """Return a resource.

        Raises:
            KeyError: There is none of that name.
        """
        return self.resources[resource]

    async def handle_list(self, request: web.Request) -> web.Response:
        """Answer with references to all of a kind."""
        return _answer(lambda: list(self._asked_for(request).items()))

    async def handle_resource(self, request: web.Request) -> web.Response:
        """Answer with one of a kind."""
        resource = self._asked_for(request)
        return _answer(lambda: resource.serialize(request.match_info["name"]))

    async def put(self, request: web.Request) -> web.Response:
        """Change one: by a form, or by an object in JSON."""
        resource = self._asked_for(request)
        data = await _sent(request)
        return _answer(lambda: resource.put(request.match_info["name"], data))

    def _asked_for(self, request: web.Request) -> BlenderResource:
        name = request.match_info["resource"]
        try:
            return self.get_resource_class(name)
        except KeyError:
            there_are = ", ".join(sorted(self.resources)) or "none"
            raise _problem(
                web.HTTPNotFound, f"no resource is called {name!r}", f"there are: {there_are}"
            ) from None


async def _sent(request: web.Request) -> Mapping[str, Any]:
    if request.content_type != "application/json":
        return await request.post()
    try:
        data = await request.json()
    except ValueError as error:
        raise _problem(web.HTTPBadRequest, f"this is not JSON: {error}", "send an object") from None
    if not isinstance(data, dict):
        raise _problem(web.HTTPBadRequest, "this is not an object of JSON", "send an object")
    return data


def _answer(ask: Callable[[], Any]) -> web.Response:
    try:
        return web.json_response(text=json.dumps(ask(), cls=BlenderEncoder))
    except KeyError as error:
        raise _problem(
            web.HTTPNotFound, f"no such name: {error.args[0]}", "the list has all names"
        ) from error
    except NotImplementedError:
        raise _problem(
            web.HTTPNotImplemented, "this resource cannot do that", "ask its add-on's author"
        ) from None


def _problem(kind: type[web.HTTPError], error: str, hint: str) -> web.HTTPError:
    text = json.dumps({"error": error, "hint": hint})
    return kind(text=text, content_type="application/json")
