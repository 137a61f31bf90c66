"""Blender over REST: a server and its client in one process."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import bpy

import aiobpy.server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATCH = {"Content-Type": "application/merge-patch+json"}


@asynccontextmanager
async def client(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    server = aiobpy.server.start(roots=[folder], loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {server.token}"}
    try:
        async with aiohttp.ClientSession(
            server.address, headers=headers, timeout=aiohttp.ClientTimeout(total=30)
        ) as session:
            yield session
    finally:
        aiobpy.server.stop()


async def ask(
    session: aiohttp.ClientSession, method: str, path: str, status: int = 200, **asked: Any
) -> tuple[Any, Any]:
    """Return what came, and its headers."""
    async with session.request(method, f"/api/v1/{path}", **asked) as response:
        body = await response.read()
        assert response.status == status, (response.status, body)
        is_json = "json" in response.headers.get("content-type", "")
        return (json.loads(body) if is_json else body), response.headers


async def test_lists_and_pages(folder: Path) -> None:
    async with client(folder) as session:
        first, _ = await ask(session, "GET", "objects?limit=2&fields=type")
        assert [item["name"] for item in first["items"]] == ["Camera", "Cube"]
        then, _ = await ask(session, "GET", f"objects?limit=2&cursor={first['next']}")
        assert [item["name"] for item in then["items"]] == ["Light"]
        assert then["next"] is None
        found, _ = await ask(session, "GET", "objects?filter=type=MESH,name~CU")
        assert [item["name"] for item in found["items"]] == ["Cube"]
        problem, headers = await ask(session, "GET", "objects?filter=tpe=MESH", 400)
        assert headers["content-type"].startswith("application/problem+json")
        assert "'type'" in problem["hint"]
        await ask(session, "GET", "things", 404)
        await ask(session, "GET", "objects/Cub", 404)


async def test_a_data_block_is_read_changed_and_guarded_by_its_tag(folder: Path) -> None:
    async with client(folder) as session:
        cube, headers = await ask(session, "GET", "objects/Cube")
        tag = headers["etag"]
        assert cube["location"] == [0.0, 0.0, 0.0]
        await ask(session, "GET", "objects/Cube", 304, headers={"If-None-Match": tag})
        some, headers = await ask(session, "GET", "objects/Cube?fields=location,data")
        assert some.keys() == {"name", "library", "type_of_data", "location", "data"}
        assert headers["etag"] != tag
        guarded = {**PATCH, "If-Match": headers["etag"]}
        patch = json.dumps({"location": [1, 2, 3], "name": "Cup / saucer"})
        changed, headers = await ask(session, "PATCH", "objects/Cube", data=patch, headers=guarded)
        assert changed["location"] == [1.0, 2.0, 3.0]
        assert headers["content-location"] == "/api/v1/objects/Cup%20%2F%20saucer"
        again, now = await ask(session, "GET", "objects/Cup%20%2F%20saucer")
        assert (again["location"], now["etag"]) == ([1.0, 2.0, 3.0], headers["etag"])
        cup = "objects/Cup%20%2F%20saucer"
        problem, _ = await ask(session, "PATCH", cup, 412, data=patch, headers=guarded)
        assert problem["type"].endswith("changed-meanwhile")
        problem, _ = await ask(session, "PATCH", cup, 422, json={"location": [1], "hide_render": 1})
        assert [error["pointer"] for error in problem["errors"]] == ["/location", "/hide_render"]
        await ask(session, "DELETE", cup, 412, headers={"If-Match": tag})
        await ask(session, "DELETE", cup, 204)
        await ask(session, "GET", cup, 404)


async def test_data_blocks_are_added(folder: Path) -> None:
    async with client(folder) as session:
        body = {"name": "Lamp", "type": "LIGHT", "location": [0, 0, 2]}
        made, headers = await ask(session, "POST", "objects", 201, json=body)
        assert (made["type"], headers["location"]) == ("LIGHT", "/api/v1/objects/Lamp")
        await ask(session, "POST", "objects", 409, json=body)
        await ask(session, "POST", "objects", 422, json={})
        assert bpy.data.objects["Lamp"].location.z == 2


async def test_values_by_path(folder: Path) -> None:
    async with client(folder) as session:
        place = {"path": 'objects["Cube"].location[2]'}
        assert (await ask(session, "GET", "rna", params=place))[0]["value"] == 0.0
        told, _ = await ask(session, "PUT", "rna", params=place, json={"value": 2.5})
        assert (told["value"], told["unit"]) == (2.5, "LENGTH")
        problem, _ = await ask(session, "PUT", "rna", 422, params=place, json={"value": "x"})
        assert problem["errors"][0]["pointer"] == "/value"
        await ask(session, "GET", "rna", 404, params={"path": 'objects["Cube"].__class__'})
        await ask(session, "GET", "rna", 400, params={"path": "os.system('x')"})


async def test_operators(folder: Path) -> None:
    async with client(folder) as session:
        found, _ = await ask(session, "GET", "operators?search=add+cube&limit=3")
        assert "mesh.primitive_cube_add" in [item["name"] for item in found["items"]]
        facts, _ = await ask(session, "GET", "operators/mesh.primitive_cube_add")
        assert facts["can_run"] is True
        path = "operators/mesh.primitive_cube_add"
        dry, _ = await ask(session, "POST", path, json={"args": {"size": 3}, "dry_run": True})
        assert dry["result"] is None
        told, _ = await ask(session, "POST", path, json={"args": {"size": 3}})
        assert told["result"] == ["FINISHED"]
        call = {"context": {"mode": "EDIT", "active": "Cube", "selected": ["Cube"]}}
        told, _ = await ask(session, "POST", "operators/mesh.subdivide", json=call)
        assert told["result"] == ["FINISHED"]
        problem, _ = await ask(session, "POST", "operators/mesh.subdivide", 409, json={})
        assert "cannot run now" in problem["detail"]
        await ask(session, "POST", "operators/script.python_file_run", 403, json={})


async def test_files_pictures_and_renders(folder: Path) -> None:
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = 'CYCLES', 1
    scene.render.resolution_x = scene.render.resolution_y = 16
    async with client(folder) as session:
        body = {"name": "p", "width": 64, "height": 32, "generated_type": "UV_GRID"}
        await ask(session, "POST", "images", 201, json=body)
        picture, headers = await ask(session, "GET", "images/p/thumb?w=32&fmt=png")
        assert picture[:4] == b"\x89PNG"
        known = {"If-None-Match": headers["etag"]}
        await ask(session, "GET", "images/p/thumb?w=32&fmt=png", 304, headers=known)
        await ask(session, "POST", "viewport", 409, json={})
        told, _ = await ask(session, "POST", "save", json={"path": str(folder / "a.blend")})
        assert told["path"] == str(folder / "a.blend")
        await ask(session, "POST", "open", 403, json={"path": "/etc/a.blend"})
        assert (await ask(session, "GET", "files"))[0]["file"]["path"] == told["path"]
        assert (await ask(session, "GET", "files/roots"))[0]["items"] == [str(folder)]
        begun, headers = await ask(session, "POST", "renders", 202, json={})
        at = headers["location"].removeprefix("/api/v1/")
        while (await ask(session, "GET", at))[0]["state"] in ("waiting", "running"):
            pass
        assert (await ask(session, "GET", at))[0]["state"] == "finished"
        result, headers = await ask(session, "GET", f"{at}/result")
        assert result[:4] == b"\x89PNG"
        assert headers["content-type"] == "image/png"
        await ask(session, "DELETE", f"renders/{begun['id']}", 204)
        await ask(session, "GET", f"renders/{begun['id']}", 404)
        told, _ = await ask(
            session, "POST", "open", json={"path": str(folder / "a.blend"), "discard": True}
        )
        assert bpy.data.filepath == told["path"]


async def test_python_is_run_for_those_who_may_alone(folder: Path) -> None:
    async with client(folder) as session:
        problem, _ = await ask(session, "POST", "exec", 403, json={"code": "1 + 1"})
        assert problem["title"]
        bpy.data.objects["Cube"].driver_add("location", 0)
        path = {"path": 'objects["Cube"].animation_data.drivers[0].driver.expression'}
        await ask(session, "PUT", "rna", 403, params=path, json={"value": "1"})
        aiobpy.server.allow_exec()
        code = "print('hi')\nx = len(bpy.data.objects)\nx"
        told, _ = await ask(session, "POST", "exec", json={"code": code})
        assert (told["result"], told["printed"]) == (3, "hi\n")
        told, _ = await ask(session, "POST", "exec", json={"code": "x + y", "args": {"y": 1}})
        assert told["result"] == 4
        problem, _ = await ask(session, "POST", "exec", 422, json={"code": "1 / 0"})
        assert "ZeroDivisionError" in problem["crash_text"]
        assert "main" in (await ask(session, "GET", "exec/namespaces"))[0]["items"]
        await ask(session, "DELETE", "exec/namespaces/main", 204)
        assert (await ask(session, "PUT", "rna", params=path, json={"value": "1"}))[0][
            "value"
        ] == "1"
        aiobpy.server.allow_exec(False)
        await ask(session, "POST", "exec", 403, json={"code": "1 + 1"})


async def test_it_is_described_for_programs(folder: Path) -> None:
    async with client(folder) as session, session.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
        assert {"get", "post"} <= paths["/api/v1/{collection}"].keys()
        assert {"get", "patch", "delete"} <= paths["/api/v1/{collection}/{name}"].keys()
        assert "post" in paths["/api/v1/operators/{name}"]
        listed = paths["/api/v1/{collection}"]["get"]
        assert {"fields", "filter", "sort", "limit", "cursor"} <= {
            parameter["name"] for parameter in listed["parameters"]
        }
