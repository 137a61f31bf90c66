"""What files are where; saving and opening; pictures; renders; Python of a client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import bpy

import aiobpy
from aiobpy import roots
from aiobpy.blender import preferences
from aiobpy.data import blocks, code, files, pictures, renders, viewport
from tests.data.refused import refused

if TYPE_CHECKING:
    from pathlib import Path


def saved_picture(path: Path, size: int = 8) -> Any:
    made = bpy.data.images.new(path.name, size, size)
    made.generated_type = 'COLOR_GRID'
    made.file_format = 'PNG'
    made.save(filepath=str(path))
    bpy.data.images.remove(made)
    return bpy.data.images.load(str(path))


async def test_files_are_found_missing_and_packed(folder: Path) -> None:
    there, packed = saved_picture(folder / "there.png"), saved_picture(folder / "packed.png")
    missing = saved_picture(folder / "missing.png")
    (folder / "missing.png").unlink()
    packed.pack()
    told = await files.overview()
    by_user = {found["used_by"][0]["name"]: found for found in told["files"]}
    assert by_user[there.name]["path"] == str(folder / "there.png")
    assert by_user[there.name]["exists"] is True
    assert by_user[there.name]["size"] == (folder / "there.png").stat().st_size
    assert by_user[missing.name]["exists"] is False
    assert by_user[packed.name]["is_packed"] is True
    assert by_user[packed.name]["size"] > 0
    assert told["missing"] == [str(folder / "missing.png")]
    assert told["file"]["path"] is None


async def test_libraries_and_what_is_linked_from_them(folder: Path) -> None:
    library = folder / "lib.blend"
    bpy.data.libraries.write(str(library), {bpy.data.objects["Cube"]})
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["Cube"]
    told = await files.overview()
    (found,) = told["libraries"]
    assert (found["name"], found["path"]) == ("lib.blend", str(library))
    assert (found["exists"], found["is_indirect"]) == (True, False)
    linked = {(one["type"], one["name"]): one["is_indirect"] for one in found["linked"]}
    assert linked["objects", "Cube"] is False
    assert linked["meshes", "Cube"] is True
    assert str(library) not in [one["path"] for one in told["files"]]
    library.unlink()
    assert (await files.overview())["missing"] == [str(library)]


async def test_files_are_saved_and_opened_in_the_allowed_folders(folder: Path) -> None:
    with refused(409):
        await files.save()
    told = await files.save(str(folder / "a.blend"))
    assert told["path"] == str(folder / "a.blend")
    bpy.data.objects["Cube"].name = "Cup"
    await files.save()
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="a change")
    with refused(409) as unsaved:
        await files.open_file(str(folder / "a.blend"))
    assert "discard" in unsaved.hint
    await files.open_file("//a.blend", discards_changes=True)
    assert "Cup" in bpy.data.objects
    for path, status in (
        ("/etc/passwd", 403),
        (str(folder / "b.blend"), 404),
        ("a.blend", 400),
        (f"{folder}/../a.blend", 403),
    ):
        with refused(status):
            await files.open_file(path, discards_changes=True)
    (folder / "text.txt").write_text("x")
    with refused(400):
        await files.open_file(str(folder / "text.txt"), discards_changes=True)
    (folder / "bad.blend").write_text("x")
    with refused(409):
        await files.open_file(str(folder / "bad.blend"), discards_changes=True)
    for path in ("/etc/a.blend", str(folder / "way" / "out.blend")):
        (folder / "way").unlink(missing_ok=True)
        (folder / "way").symlink_to("/etc")
        with refused(403):
            await files.save(path)


async def test_scripts_of_a_file_do_not_run(folder: Path) -> None:
    text = bpy.data.texts.new("register.py")
    text.write("import bpy\nbpy.app.driver_namespace['ran'] = True\n")
    text.use_module = True
    await files.save(str(folder / "a.blend"))
    await files.open_file(str(folder / "a.blend"), discards_changes=True)
    assert "ran" not in bpy.app.driver_namespace


def test_a_person_allows_folders_in_the_preferences(folder: Path) -> None:
    addon = bpy.context.preferences.addons.new()
    addon.module = "aiobpy_of_a_test"
    preferences.name_after(addon.module)
    preferences.register()
    try:
        bpy.ops.aiobpy.files_folder_add()
        addon.preferences.files_folders[0].folder = str(folder / "a")
        assert roots.allowed() == [folder / "a"]
        bpy.ops.aiobpy.files_folder_add()
        addon.preferences.files_folders[1].folder = "no folder"
        assert roots.allowed() == [folder / "a"]
        bpy.ops.aiobpy.files_folder_remove(index=0)
        assert roots.allowed() == []
    finally:
        preferences.unregister()
        bpy.context.preferences.addons.remove(addon)


async def test_small_pictures(folder: Path) -> None:
    image = saved_picture(folder / "a.png", 300)
    count = len(bpy.data.images)
    for fmt, start in (("png", b"\x89PNG"), ("jpeg", b"\xff\xd8"), ("webp", b"RIFF")):
        picture = await pictures.thumbnail("a.png", width=64, fmt=fmt)
        assert picture.data is not None
        assert picture.data.startswith(start)
        assert picture.content_type == f"image/{fmt}"
        again = await pictures.thumbnail("a.png", width=64, fmt=fmt, known=picture.tag)
        assert (again.data, again.tag) == (None, picture.tag)
    assert len(bpy.data.images) == count
    assert not image.has_data
    before = await pictures.thumbnail("a.png", width=64)
    assert await small("a.png", 64) == (64, 64)
    assert await small("a.png", 1024) == (300, 300)
    image.pixels = [1.0, 0.0, 0.0, 1.0] * (300 * 300)
    assert image.is_dirty
    assert (await pictures.thumbnail("a.png", width=64)).tag != before.tag
    assert await small("a.png", 64) == (64, 64)
    bpy.data.images.new("wide", 400, 100, float_buffer=True)
    assert await small("wide", 100) == (100, 25)
    saved_picture(folder / "packed.png").pack()
    (folder / "packed.png").unlink()
    assert await small("packed.png", 64) == (8, 8)
    for asked in ({"fmt": "gif"}, {"width": 5000}, {"width": 1}):
        with refused(400):
            await pictures.thumbnail("a.png", **asked)
    with refused(404):
        await pictures.thumbnail("b.png")


async def test_what_cannot_be_seen_is_refused(folder: Path) -> None:
    saved_picture(folder / "a.png")
    (folder / "a.png").write_text("no picture")
    with refused(409):
        await pictures.thumbnail("a.png")
    (folder / "a.png").unlink()
    with refused(409):
        await pictures.thumbnail("a.png")
    with refused(409):
        viewport.picture()


async def small(name: str, width: int) -> tuple[int, int]:
    """Return how large a small picture is."""
    return size_of((await pictures.thumbnail(name, width=width, fmt="png")).data)


def size_of(png: bytes | None) -> tuple[int, int]:
    assert png is not None
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


async def test_renders_are_followed_and_fetched() -> None:
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = 'CYCLES', 1
    scene.render.resolution_x = scene.render.resolution_y = 16
    first = renders.begin(renders.order(None, 3, None))
    film = renders.begin(renders.order("Scene", None, [1, 3, 2]))
    assert (first["state"], first["progress"]) == ("waiting", None)
    with refused(409):
        renders.result(first["id"])
    await ended(film["id"])
    told = renders.get(first["id"])
    assert (told["state"], told["progress"], told["files"]) == ("finished", 1.0, ["picture.png"])
    assert size_of(renders.result(first["id"]).read_bytes()) == (16, 16)
    names = renders.get(film["id"])["files"]
    assert names == ["frame_0001.png", "frame_0003.png"]
    assert renders.result(film["id"], names[1]).name == names[1]
    with refused(404):
        renders.result(film["id"], "../picture.png")
    place = renders.result(first["id"])
    renders.remove(first["id"])
    assert not place.exists()
    with refused(404):
        renders.get(first["id"])
    renders.remove(film["id"])


async def test_a_render_that_waits_is_cancelled() -> None:
    bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 16
    bpy.context.scene.render.engine, bpy.context.scene.cycles.samples = 'CYCLES', 1
    one, two = (
        renders.begin(renders.order(None, None, None)),
        renders.begin(renders.order(None, None, None)),
    )
    renders.remove(two["id"])
    await ended(one["id"])
    await ended(two["id"])
    assert renders.get(one["id"])["problem"] is None
    assert renders.get(one["id"])["state"] == "finished"
    assert renders.get(two["id"])["state"] == "cancelled"


def test_renders_that_cannot_be_are_refused() -> None:
    with refused(422):
        renders.order("Nothing", None, None)
    for frames in ([1], [3, 1], [1, 2, 0], [1, 2, 3, 4], [0, 10**9]):
        with refused(422):
            renders.order(None, None, frames)


async def ended(number: str) -> None:
    while renders.get(number)["state"] in ("waiting", "running"):  # noqa: ASYNC110 - as clients do
        await asyncio.sleep(0)


async def test_python_is_run() -> None:
    told = await code.run("import math\nx = math.pi\nprint('hello')\nround(x, 2)")
    assert (told["result"], told["printed"], told["repr"]) == (3.14, "hello\n", "3.14")
    assert (await code.run("x > 3, _"))["result"] == [True, 3.14]
    assert (await code.run("a + b", {"a": 1, "b": 2}))["result"] == 3
    assert (await code.run("x = 1"))["result"] is None
    told = await code.run("bpy.data.objects['Cube'], object()")
    assert told["result"] == [{"type": "objects", "name": "Cube", "library": None}, None]
    assert "object object" in told["repr"]
    assert (await code.run("import asyncio\nawait asyncio.sleep(0, 5)"))["result"] == 5
    assert (await code.run("bpy.data.objects['Cube'].location"))["result"] == [0, 0, 0]


async def test_namespaces_are_apart_and_forgotten() -> None:
    await code.run("y = 1", namespace="one")
    with refused(422):
        await code.run("y", namespace="two")
    assert (await code.run("y", namespace="one"))["result"] == 1
    code.forget("one")
    with refused(422):
        await code.run("y", namespace="one")
    with refused(404):
        code.forget("three")
    for number in range(20):
        await code.run("1", namespace=str(number))
    assert len(code.namespaces()) == code.MOST_NAMESPACES


async def test_python_that_fails_says_where() -> None:
    with refused(422) as told:
        await code.run("print('so far')\ndef f():\n    return 1 / 0\nf()")
    assert told.problem.traceback is not None
    assert "so far" in told.problem.traceback
    assert "return 1 / 0" in told.problem.traceback
    assert "aiobpy/data" not in told.problem.traceback
    with refused(422):
        await code.run("1 +")
    with refused(422):
        await code.run("raise SystemExit(3)")
    with refused(422):
        await code.run("x" * 10 + "\0")


async def test_what_others_print_meanwhile_is_theirs() -> None:
    async def chatter() -> None:
        for _ in range(5):
            print("chatter")
            await asyncio.sleep(0)

    task = aiobpy.spawn(chatter())
    source = "import asyncio\nfor n in range(3):\n    print(n)\n    await asyncio.sleep(0)"
    one, two = await asyncio.gather(code.run(source), code.run(source, namespace="two"))
    await task
    assert one["printed"] == two["printed"] == "0\n1\n2\n"


def test_kinds_know_where_their_data_is() -> None:
    assert blocks.kind_of_struct(bpy.types.PointLight.bl_rna) == blocks.kind_of("lights")
    assert blocks.kind_of_struct(bpy.types.ShaderNodeTree.bl_rna) == blocks.kind_of("node_groups")
    assert blocks.kind_of_struct(bpy.types.Modifier.bl_rna) is None
