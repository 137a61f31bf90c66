"""What is served below `/api/v1`: from a request to the functions of this package, and back."""

from __future__ import annotations

import hashlib
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from aiobpy import web
from aiobpy.data import (
    blocks,
    changing,
    code,
    files,
    listing,
    making,
    operators,
    pictures,
    problems,
    queries,
    reading,
    renders,
    rna,
    steps,
    viewport,
)
from aiobpy.data.bodies import (  # noqa: TC001 - `aiobpy.web` reads the annotations
    Code,
    OpenOrder,
    OperatorCall,
    RenderOrder,
    SaveOrder,
    Value,
)
from aiobpy.data.rights import SCOPES, Rights
from aiobpy.web.registry import api_site

if TYPE_CHECKING:
    from aiobpy.data.blocks import Kind

_site: Final = api_site()


def put_up() -> None:
    """Serve it from now on: also after aiobpy was shut down, which takes all sites down."""
    _site.owner.enabled()


@_site.get("/rna")
async def get_value(path: str) -> dict[str, Any]:
    """Return a value anywhere in the open file, and what is known of it.

    Args:
        path: As in objects["Cube"].location
    """
    return rna.get(path)


@_site.put("/rna")
async def set_value(path: str, body: Value, request: web.Request) -> dict[str, Any]:
    """Set a value anywhere in the open file: one undo step.

    Args:
        path: As in objects["Cube"].location
    """
    async with steps.step(f"Set {path[:60]}"):
        return rna.put(path, body.value, _rights(request))


@_site.get("/files")
async def get_files() -> dict[str, Any]:
    """Return the files that the open file needs, where they are and which are missing."""
    return await files.overview()


@_site.get("/files/roots")
async def get_roots() -> dict[str, Any]:
    """Return the folders whose files may be named."""
    return {"items": files.allowed_folders()}


@_site.post("/save", scope="files")
async def save(body: SaveOrder) -> dict[str, Any]:
    """Save the open file."""
    return await files.save(body.path, is_copy=body.copy)


@_site.post("/open", scope="files")
async def open_file(body: OpenOrder) -> dict[str, Any]:
    """Open another .blend; scripts in it do not run by themselves."""
    return await files.open_file(body.path, discards_changes=body.discard, load_ui=body.load_ui)


@_site.get("/operators")
async def get_operators(search: str = "", limit: int = 50, after: str = "") -> dict[str, Any]:
    """Return Blender's operators, by name.

    Args:
        search: Words that are all in the name, the label or the description.
        limit: So many at most, 1 to 200.
        after: `next` of the page before.
    """
    return await operators.search(search, limit, after)


@_site.get("/operators/{name}")
async def get_operator(name: str) -> dict[str, Any]:
    """Return what an operator takes, and whether it could run just now."""
    return operators.describe(name)


@_site.post("/operators/{name}")
async def call_operator(name: str, body: OperatorCall, request: web.Request) -> dict[str, Any]:
    """Call an operator, as one undo step, or say what would happen."""
    call = operators.Call(name, body.args, body.context, body.undo, body.dry_run)
    return await operators.call(call, _rights(request))


@_site.get("/images/{name}/thumb")
async def get_thumbnail(
    name: str, request: web.Request, w: int = 256, fmt: str = "webp", library: str = ""
) -> web.Response:
    """Return a small picture of an image.

    Args:
        w: Pixels of its longer side, 16 to 1024.
        fmt: webp, png or jpeg.
        library: That the image is linked from.
    """
    known = next(iter(_tags(request.header("if-none-match"))), "")
    picture = await pictures.thumbnail(name, library or None, w, fmt, known)
    headers = {"etag": f'"{picture.tag}"', "cache-control": "private, no-cache"}
    if picture.data is None:
        return web.Response(None, 304, headers)
    return web.Response(picture.data, 200, headers, picture.content_type)


@_site.post("/viewport", scope="read")
async def draw_viewport(body: viewport.View) -> web.Response:
    """Return a PNG of a 3D view, as a person sees it; with windows only."""
    return web.Response(viewport.picture(body), content_type="image/png")


@_site.post("/renders")
async def begin_render(body: RenderOrder) -> web.Response:
    """Begin to render, after what is rendered already; `Location` tells how far it is."""
    render = renders.begin(renders.order(body.scene, body.frame, body.frames))
    return web.Response(render, 202, {"location": f"{_site.prefix}/renders/{render['id']}"})


@_site.get("/renders")
async def get_renders() -> dict[str, Any]:
    """Return the renders that are remembered, the oldest first."""
    return {"items": renders.all_of_them()}


@_site.get("/renders/{id}")
async def get_render(id: str) -> dict[str, Any]:  # noqa: A002 - as the address has it
    """Return how far a render is."""
    return renders.get(id)


@_site.delete("/renders/{id}")
async def remove_render(id: str) -> None:  # noqa: A002 - as the address has it
    """Cancel a render, or forget one that has ended."""
    renders.remove(id)


@_site.get("/renders/{id}/result")
async def get_result(id: str, file: str = "") -> web.File:  # noqa: A002 - as the address has it
    """Return what a render has made.

    Args:
        file: One of its `files`; the first if left out.
    """
    return web.File(renders.result(id, file or None))


@_site.post("/exec", scope="exec")
async def run_code(body: Code) -> dict[str, Any]:
    """Run Python in Blender; names live on in the namespace."""
    return await code.run(body.code, body.args, body.namespace, undo=body.undo)


@_site.get("/exec/namespaces", scope="exec")
async def get_namespaces() -> dict[str, Any]:
    """Return the namespaces that code has used."""
    return {"items": code.namespaces()}


@_site.delete("/exec/namespaces/{name}", scope="exec")
async def forget_namespace(name: str) -> None:
    """Forget the names of a namespace."""
    code.forget(name)


@_site.get("/{collection}")
async def get_list(
    collection: str,
    fields: str = "",
    filter: str = "",  # noqa: A002 - as the address has it
    sort: str = "name",
    limit: int = 50,
    cursor: str = "",
) -> dict[str, Any]:
    """Return data-blocks of one kind, a page at a time.

    Args:
        collection: As `bpy.data` calls it: objects, scenes, materials, images, …
        fields: Properties to show, with commas between them: name,data,location
        filter: Conditions that all hold: type=MESH,name~cup
        sort: A property, with a minus before it to go downward.
        limit: So many at most, 1 to 200.
        cursor: `next` of the page before.
    """
    kind = blocks.kind_of(collection)
    asked = listing.query(kind, fields=fields, filter=filter, sort=sort, limit=limit, cursor=cursor)
    return await listing.page(kind, asked)


@_site.post("/{collection}")
async def add(collection: str, body: dict[str, Any], request: web.Request) -> web.Response:
    """Make a data-block: its name, what its kind takes, and any members of it. One undo step."""
    kind = blocks.kind_of(collection)
    async with steps.step(f"Add {kind.one}"):
        made = making.make(kind, body, _rights(request))
        headers = {"etag": f'"{reading.state_tag(made)}"', "location": _address(kind, made.name)}
        return web.Response(reading.block(made), 201, headers)


@_site.get("/{collection}/{name}")
async def get_one(
    collection: str, name: str, request: web.Request, library: str = "", fields: str = ""
) -> web.Response:
    """Return a data-block, with an ETag that changes when something that can be set does.

    Args:
        collection: As `bpy.data` calls it.
        library: That it is linked from.
        fields: Properties to show; all simple ones if left out. `render.*` goes inside.
    """
    found = blocks.find(blocks.kind_of(collection), name, library or None)
    tag = reading.state_tag(found)
    if fields:
        tag = f"{tag}-{hashlib.blake2b(fields.encode(), digest_size=4).hexdigest()}"
    headers = {"etag": f'"{tag}"', "cache-control": "private, no-cache"}
    if tag in _tags(request.header("if-none-match")):
        return web.Response(None, 304, headers)
    return web.Response(
        reading.block(found, queries.fields(fields) if fields else None), 200, headers
    )


@_site.patch("/{collection}/{name}")
async def change(
    collection: str, name: str, body: dict[str, Any], request: web.Request, library: str = ""
) -> web.Response:
    """Change a data-block by a JSON merge patch (RFC 7396): all of it or nothing, one undo step.

    Args:
        collection: As `bpy.data` calls it.
        library: That it is linked from.
    """
    kind = blocks.kind_of(collection)
    async with steps.step(f"Change {name}"):
        found = _unchanged(kind, name, library, request)
        changing.merge(found, body, _rights(request))
        headers = {
            "etag": f'"{reading.state_tag(found)}"',
            "content-location": _address(kind, found.name),
        }
        return web.Response(reading.block(found), 200, headers)


@_site.delete("/{collection}/{name}")
async def remove(collection: str, name: str, request: web.Request, library: str = "") -> None:
    """Remove a data-block: one undo step.

    Args:
        collection: As `bpy.data` calls it.
        library: That it is linked from.
    """
    kind = blocks.kind_of(collection)
    async with steps.step(f"Remove {name}"):
        making.remove(kind, _unchanged(kind, name, library, request))


def _unchanged(kind: Kind, name: str, library: str, request: web.Request) -> Any:
    """Return a data-block that is as the client knows it, if it says what it knows."""
    found = blocks.find(kind, name, library or None)
    wanted = request.header("if-match")
    if wanted is not None and wanted.strip() != "*":
        known = {tag.partition("-")[0] for tag in _tags(wanted)}
        if reading.state_tag(found) not in known:
            raise problems.changed_meanwhile(f"{kind.one} {name!r}")
    return found


def _tags(header: str | None) -> list[str]:
    """Return the ETags of a header, without quotes."""
    return [part.strip().removeprefix("W/").strip('"') for part in (header or "").split(",")]


def _address(kind: Kind, name: str) -> str:
    return f"{_site.prefix}/{kind.collection}/{urllib.parse.quote(name, safe='')}"


def _rights(request: web.Request) -> Rights:
    return Rights(frozenset(scope for scope in SCOPES if request.may(scope)))
