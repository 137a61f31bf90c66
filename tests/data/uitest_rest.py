"""Blender over REST beside a person: undo steps, operators in an area, pictures of the view."""

import asyncio
import contextlib
import io
import zlib
from typing import Any

import bpy

import aiobpy
import aiobpy.server
from aiobpy import main_loop, uitest
from aiobpy.data import blocks, operators, properties, renders, thumbnailer, values

asking_now = 0


async def ask(method: str, path: str, json: Any = None, status: int = 200) -> Any:
    """Return what the server of this Blender answers, which is on while anybody asks."""
    global asking_now
    server = aiobpy.server.current() or aiobpy.server.start()
    asking_now += 1
    body = {} if json is None else {"json": json}
    try:
        answer = await aiobpy.fetch(
            f"{server.address}/api/v1/{path}",
            method=method,
            headers={"Authorization": f"Bearer {server.token}"},
            check=False,
            **body,
        )
    finally:
        asking_now -= 1
        if not asking_now:
            aiobpy.server.stop()
    assert answer.status == status, answer.text()
    return answer.json() if "json" in answer.headers.get("content-type", "") else answer.bytes


async def test_each_change_is_one_undo_step() -> None:
    await ask("PATCH", "objects/Cube", {"location": [1, 2, 3], "hide_render": True})
    await ask("PUT", "rna?path=objects%5B%22Cube%22%5D.scale%5B0%5D", {"value": 3})
    await ask("POST", "objects", {"name": "Lamp", "type": "LIGHT"}, 201)
    await ask("DELETE", "objects/Camera", status=204)
    await ask("PATCH", "objects/Cube", {"location": "none"}, 422)
    assert "Camera" not in bpy.data.objects
    await undo_by_key()
    assert {"Camera", "Lamp"} <= set(bpy.data.objects.keys())
    await undo_by_key()
    assert "Lamp" not in bpy.data.objects
    assert bpy.data.objects["Cube"].scale.x == 3
    await undo_by_key()
    assert bpy.data.objects["Cube"].scale.x == 1
    assert bpy.data.objects["Cube"].location.x == 1
    await undo_by_key()
    assert bpy.data.objects["Cube"].location.x == 0
    assert not bpy.data.objects["Cube"].hide_render


async def test_operators_run_in_an_area_as_one_step() -> None:
    call: dict[str, Any] = {"args": {"size": 3}, "context": {"area": "VIEW_3D"}}
    dry = await ask("POST", "operators/mesh.primitive_cube_add", {**call, "dry_run": True})
    assert dry["result"] is None
    told = await ask("POST", "operators/mesh.primitive_cube_add", call)
    assert told["result"] == ["FINISHED"]
    assert "Cube.001" in bpy.data.objects
    cut: dict[str, Any] = {
        "args": {"number_cuts": 2},
        "context": {"active": "Cube", "selected": ["Cube"]},
    }
    cut["context"]["mode"] = 'EDIT'
    assert (await ask("POST", "operators/mesh.subdivide", cut))["result"] == ["FINISHED"]
    assert bpy.context.mode == 'OBJECT'
    assert len(bpy.data.objects["Cube"].data.vertices) > 8
    await undo_by_key()
    assert len(bpy.data.objects["Cube"].data.vertices) == 8
    assert "Cube.001" in bpy.data.objects
    await undo_by_key()
    assert "Cube.001" not in bpy.data.objects
    # What works in the view is refused elsewhere, with the reason.
    problem = await ask("POST", "operators/view3d.view_selected", {}, 409)
    assert "cannot run now" in problem["detail"]
    view = {"context": {"area": "VIEW_3D"}}
    assert (await ask("POST", "operators/view3d.view_selected", view))["result"] == ["FINISHED"]
    assert (await ask("POST", "operators/ed.undo", {}, 200))["result"]


async def test_a_change_waits_for_a_transform_under_way() -> None:
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    await uitest.press("G")
    await uitest.until(main_loop.is_in_hand)
    changing = asyncio.create_task(ask("PATCH", "objects/Light", {"location": [9, 9, 9]}))
    await uitest.passes(20)
    assert bpy.data.objects["Light"].location.x != 9
    assert len((await ask("GET", "objects"))["items"]) == 3
    await uitest.press('ESC')
    await changing
    assert bpy.data.objects["Light"].location.x == 9


async def test_a_picture_of_the_view_shows_what_is_there() -> None:
    picture = await ask("POST", "viewport", {"width": 160})
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert width == 160
    start = picture.index(b"IDAT") + 4
    length = int.from_bytes(picture[start - 8 : start - 4], "big")
    pixels = zlib.decompress(picture[start : start + length])
    assert len(pixels) == height * (1 + 4 * width)
    # The cube is lit from one side: there are many greys.
    assert len(set(pixels)) > 20
    problem = await ask("POST", "viewport", {"area": 7}, 409)
    assert "there is no 3D view 7" in problem["detail"]


async def test_whatever_can_be_reached_can_be_read_and_every_operator_asked() -> None:
    seen: set[str] = set()
    for kind in blocks.kinds().values():
        for block in blocks.all_of(kind):
            visit(block, seen)
    assert len(seen) > 60
    # Blender prints what an add-on's own `poll` raises, as some of those that come with it do.
    with contextlib.redirect_stderr(io.StringIO()):
        for name in operators.names():
            operators.describe(name)


def visit(holder: Any, seen: set[str]) -> None:
    """Read what one thing of each type has."""
    struct = holder.bl_rna.identifier
    if struct in seen:
        return
    seen.add(struct)
    for prop in properties.visible(holder):
        values.read(holder, prop)
        properties.describe(holder, prop)
        if prop.type in {'POINTER', 'COLLECTION'}:
            inside = getattr(holder, prop.identifier)
            items = [inside] if prop.type == 'POINTER' else inside[:2] if len(inside) else []
            for item in items:
                if item is not None:
                    visit(item, seen)


async def test_small_pictures_are_made_by_another_blender() -> None:
    bpy.data.images.new("grid", 2048, 1024).generated_type = 'COLOR_GRID'
    asking = asyncio.create_task(ask("GET", "images/grid/thumb?w=64&fmt=png"))
    passes = 0
    while not asking.done():
        await aiobpy.frame()
        passes += 1
    assert (await asking)[16:24] == bytes([0, 0, 0, 64, 0, 0, 0, 32])
    assert passes > 20
    assert not bpy.data.images["grid"].has_data
    await thumbnailer.close()


async def test_a_render_runs_beside_the_interface() -> None:
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = 'CYCLES', 1
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 16
    begun = await ask("POST", "renders", {}, 202)
    await uitest.until(lambda: _state(begun["id"]) == "finished")
    assert (await ask("GET", f"renders/{begun['id']}/result"))[:4] == b"\x89PNG"


def _state(number: str) -> str:
    return str(renders.get(number)["state"])


async def undo_by_key() -> None:
    """Undo as a person does."""
    undone = aiobpy.handlers.next("undo_post")
    await uitest.move(*uitest.centre(area='VIEW_3D'))
    await uitest.press("Z", ctrl=True)
    await undone
