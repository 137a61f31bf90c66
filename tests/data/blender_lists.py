"""Lists: fields, filters, order, pages."""

from __future__ import annotations

from typing import Any

import bpy

from aiobpy.data import blocks, listing
from tests.data.refused import refused


async def page(collection: str, **asked: Any) -> tuple[list[dict[str, Any]], str | None]:
    kind = blocks.kind_of(collection)
    found = await listing.page(kind, listing.query(kind, **asked))
    return found["items"], found["next"]


async def names(collection: str, **asked: Any) -> list[str]:
    return [item["name"] for item in (await page(collection, **asked))[0]]


async def test_a_list_shows_a_summary_or_the_fields_that_are_asked_for() -> None:
    items, after = await page("objects")
    assert [item["name"] for item in items] == ["Camera", "Cube", "Light"]
    assert after is None
    assert items[1]["type"] == 'MESH'
    items, _ = await page("objects", fields="scale")
    assert items[0] == {
        "name": "Camera",
        "library": None,
        "type_of_data": "objects",
        "scale": [1.0, 1.0, 1.0],
    }


async def test_every_kind_can_be_listed() -> None:
    for collection in blocks.kinds():
        await page(collection)
    with refused(404) as told:
        blocks.kind_of("object")
    assert "'objects'" in told.hint


async def test_filters() -> None:
    for text, expected in (
        ("type=MESH", ["Cube"]),
        ("type!=MESH", ["Camera", "Light"]),
        ("name~CA", ["Camera"]),
        ('name="Cube"', ["Cube"]),
        ("name!~a,type!=LIGHT", ["Cube"]),
        ("location>3", []),
        ("users=1, type = LIGHT", ["Light"]),
        ("parent=null", ["Camera", "Cube", "Light"]),
        ("data=Cube", ["Cube"]),
        ("hide_render=false", ["Camera", "Cube", "Light"]),
        ("library=null,users>=1", ["Camera", "Cube", "Light"]),
        ("pass_index<0", []),
    ):
        assert await names("objects", filter=text) == expected, text
    assert await names("scenes", filter="render.resolution_x>1000") == ["Scene"]
    assert await names("lights", filter="energy>=1000,type=POINT") == ["Light"]


async def test_filters_that_make_no_sense_say_why() -> None:
    for text in ("type", "type==MESH", "=MESH", "type=MESH,", ",", 'name="x', "a.b.c.d.e=1", "1=1"):
        with refused(400):
            await page("objects", filter=text)
    with refused(400) as told:
        await page("objects", filter="tpe=MESH")
    assert "'type'" in told.hint
    for asked in ({"sort": "nme"}, {"sort": "-"}, {"fields": "a b"}, {"limit": 0}, {"limit": 201}):
        with refused(400):
            await page("objects", **asked)
    with refused(400):
        await page("objects", fields="locaton")


async def test_order() -> None:
    assert await names("objects", sort="-name") == ["Light", "Cube", "Camera"]
    assert await names("objects", sort="type") == ["Camera", "Light", "Cube"]
    bpy.data.objects["Light"].pass_index = 7
    assert await names("objects", sort="-pass_index") == ["Light", "Cube", "Camera"]
    bpy.data.objects["Cube"].parent = bpy.data.objects["Camera"]
    assert (await names("objects", sort="-parent"))[0] == "Cube"


async def test_pages_neither_repeat_nor_skip_while_things_come_and_go() -> None:
    for number in range(20):
        bpy.data.materials.new(f"m{number:02}")
    seen: list[str] = []
    after: str | None = ""
    rounds = 0
    while after is not None:
        items, after = await page("materials", filter="name~m", limit=4, cursor=after)
        seen += [item["name"] for item in items if item["name"].startswith("m")]
        if rounds == 1:
            bpy.data.materials.remove(bpy.data.materials[seen[-1]])
            bpy.data.materials.remove(bpy.data.materials["m01"])
            bpy.data.materials.new("m00a")
            bpy.data.materials.new("m19a")
        rounds += 1
    assert seen == [f"m{number:02}" for number in range(20)] + ["m19a"]


async def test_cursors_are_checked() -> None:
    _, after = await page("objects", limit=1)
    assert after is not None
    assert await names("objects", limit=1, cursor=after) == ["Cube"]
    for cursor in ("x", "!", "bnVsbA", after[:-3], after + "A"):
        with refused(400):
            await page("objects", cursor=cursor)
    with refused(400):
        await page("objects", cursor=after, sort="-name")


async def test_linked_data_is_listed_by_its_library(folder: Any) -> None:
    library = folder / "lib.blend"
    bpy.data.libraries.write(str(library), {bpy.data.objects["Cube"]})
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["Cube"]
    items, _ = await page("objects", filter="name=Cube", fields="name,users")
    assert [item["library"] for item in items] == [None, "lib.blend"]
    assert await names("objects", filter='library="lib.blend"') == ["Cube"]
    kind = blocks.kind_of("objects")
    assert blocks.find(kind, "Cube", "lib.blend").library is not None
    assert blocks.find(kind, "Cube").library is None
    with refused(404):
        blocks.find(kind, "Cube", "other.blend")
