"""Writing: merge patches, single values, new data-blocks and the end of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.data import blocks, changing, making, reading, rna
from aiobpy.data.rights import Rights
from tests.data.refused import refused

if TYPE_CHECKING:
    from pathlib import Path

CONTROL = Rights(frozenset({"read", "control"}))


def cube() -> bpy.types.Object:
    return bpy.data.objects["Cube"]


def make(kind: str, /, **body: Any) -> Any:
    return making.make(blocks.kind_of(kind), body)


def test_a_patch_changes_members_at_any_depth() -> None:
    cube().modifiers.new("Round", 'SUBSURF')
    changing.merge(
        cube(),
        {
            "location": [1, 2, 3.5],
            "rotation_mode": 'QUATERNION',
            "hide_render": True,
            "parent": "Camera",
            "modifiers": {"Round": {"levels": 2, "show_viewport": False}},
            "display": {"show_shadows": False},
            "custom_properties": {"own": {"list": [1, 2]}, "word": "ä"},
        },
    )
    assert tuple(cube().location) == (1, 2, 3.5)
    assert cube().rotation_mode == 'QUATERNION'
    assert cube().parent.name == "Camera"
    assert cube().modifiers["Round"].levels == 2
    assert not cube().display.show_shadows
    assert cube()["own"]["list"].to_list() == [1, 2]
    # What depends on it is worked out when it is read.
    assert reading.block(cube())["matrix_world"] != reading.block(cube())["matrix_local"]
    changing.merge(bpy.context.scene, {"render": {"resolution_x": 64, "engine": 'CYCLES'}})
    assert bpy.context.scene.render.resolution_x == 64
    assert bpy.context.scene.render.engine == 'CYCLES'


def test_null_resets_empties_and_removes() -> None:
    cube().location.x = 4
    cube().parent = bpy.data.objects["Camera"]
    cube()["own"] = {"a": 1, "b": 2}
    cube()["other"] = 1
    changing.merge(
        cube(),
        {
            "location": None,
            "parent": None,
            "custom_properties": {"own": {"a": None, "c": 3}, "other": None},
        },
    )
    assert tuple(cube().location) == (0, 0, 0)
    assert cube().parent is None
    assert cube()["own"].to_dict() == {"b": 2, "c": 3}
    assert "other" not in cube()
    with refused(422):
        changing.merge(cube(), {"name": None})


def test_what_is_sent_back_as_it_was_read_is_no_change() -> None:
    cube().location = (0.1, 1 / 3, 1e9)
    for block in (cube(), bpy.context.scene, bpy.data.materials["Material"]):
        before = reading.state_tag(block)
        changing.merge(block, reading.block(block))
        assert reading.state_tag(block) == before


def test_values_that_do_not_fit_are_all_named_and_nothing_is_changed() -> None:
    before = reading.state_tag(cube())
    with refused(422) as told:
        changing.merge(
            cube(),
            {
                "hide_render": True,
                "location": [1, 2],
                "scale": [1, "2", 3],
                "pass_index": -1,
                "hide_viewport": 1,
                "rotation_mode": 'ZZZ',
                "parent": "Nobody",
                "type": 'LIGHT',
                "name": "x" * 300,
                "color": [1, 1, 1, None],
                "modifiers": {"Round": {"levels": 1}},
                "locaton": [0, 0, 0],
                "data": {"type": "meshs", "name": "Cube"},
                "lock_location": [True, 1, False],
                "display": 3,
                "custom_properties": {"big": 2**40, "mixed": [1, "a"], "location": 1, "_x": 1},
            },
        )
    assert told.errors["/location"] == "a list of 3, not of 2"
    assert told.errors["/scale/1"] == "a number, not '2'"
    assert told.errors["/pass_index"] == "from 0 to 32767, not -1"
    assert told.errors["/hide_viewport"] == "true or false, not 1"
    assert "'QUATERNION', 'XYZ'" in told.errors["/rotation_mode"]
    assert told.errors["/parent"].startswith("there is no object 'Nobody'")
    assert told.errors["/type"] == "it cannot be set"
    assert "bytes at most" in told.errors["/name"]
    assert told.errors["/color/3"] == "a number, not None"
    assert told.errors["/modifiers/Round"] == "there is no such item"
    assert "'location'" in told.errors["/locaton"]
    assert "'meshes'" in told.errors["/data/type"]
    assert "/lock_location/1" in told.errors
    assert "/display" in told.errors
    assert told.errors["/custom_properties/big"].endswith("32 bits")
    assert "/custom_properties/mixed" in told.errors
    assert "/custom_properties/location" in told.errors
    assert "/custom_properties/_x" in told.errors
    assert reading.state_tag(cube()) == before


def test_what_blender_itself_refuses_takes_all_back() -> None:
    before = reading.state_tag(cube())
    with refused(422) as told:
        # A camera is no mesh, which only Blender knows.
        changing.merge(
            cube(), {"location": [5, 5, 5], "data": {"type": "cameras", "name": "Camera"}}
        )
    assert "/data" in told.errors
    assert reading.state_tag(cube()) == before
    assert cube().data.name == "Cube"


def test_a_name_that_is_taken_is_refused() -> None:
    with refused(422) as told:
        changing.merge(cube(), {"name": "Camera"})
    assert told.errors["/name"] == "another one has that name"
    changing.merge(cube(), {"name": "Cup"})
    assert "Cup" in bpy.data.objects


def test_single_values_are_set_by_path() -> None:
    assert rna.put('objects["Cube"].location[2]', 7)["value"] == 7.0
    assert rna.put('objects["Cube"].location', [1, 2, 3])["value"] == [1.0, 2.0, 3.0]
    assert rna.put('objects["Cube"].location[2]', None)["value"] == 0.0
    assert rna.put('objects["Cube"]["own"]', 1.5)["value"] == 1.5
    assert rna.put('objects["Cube"]["own"]', None)["value"] is None
    assert rna.put("scenes[0].camera", None)["value"] is None
    assert rna.put("scenes[0].camera", {"type": "objects", "name": "Camera"})["value"]
    path = 'materials["Material"].diffuse_color'
    assert rna.put(path, [1, 0, 0, 1])["value"] == [1.0, 0.0, 0.0, 1.0]
    snap = rna.put("scenes[0].tool_settings.snap_elements", ['VERTEX', 'EDGE'])
    assert snap["value"] == ['EDGE', 'VERTEX']
    for path, value in (
        ('objects["Cube"].location[0]', "x"),
        ('objects["Cube"].type', 'LIGHT'),
        ('objects["Cube"].name', 3),
        ("scenes[0].frame_current", 1.5),
        ("scenes[0].frame_current", 10**9),
        ("scenes[0].tool_settings.snap_elements", ['VERTEX', 'NO']),
    ):
        with refused(422):
            rna.put(path, value)
    with refused(409):
        rna.put('objects["Cube"]', {})


def test_linked_data_is_not_changed(folder: Path) -> None:
    library = folder / "lib.blend"
    bpy.data.libraries.write(str(library), {cube()})
    with bpy.data.libraries.load(str(library), link=True) as (_, into):
        into.objects = ["Cube"]
    linked = blocks.find(blocks.kind_of("objects"), "Cube", "lib.blend")
    with refused(409) as told:
        changing.merge(linked, {"location": [1, 1, 1]})
    assert "lib.blend" in told.problem.detail
    with refused(409):
        making.remove(blocks.kind_of("objects"), linked)
    facts = rna.get('objects["Cube", "lib.blend"].location')
    assert facts["is_readonly"] is True
    with refused(409):
        rna.put('objects["Cube", "lib.blend"].location[0]', 1)
    assert rna.put('objects["Cube"].location[0]', 1)["value"] == 1.0


def test_paths_of_files_stay_in_the_allowed_folders(folder: Path) -> None:
    changing.merge(bpy.context.scene, {"render": {"filepath": str(folder / "out" / "a")}})
    (folder / "way_out").symlink_to("/etc")
    for path in ("/etc/passwd", f"{folder}/../x", f"{folder}/way_out/x", "//x", "x", "\\\\host\\x"):
        with refused(400, 403):
            changing.merge(bpy.context.scene, {"render": {"filepath": path}})
    with refused(403):
        changing.merge(bpy.context.scene, {"render": {"filepath": str(folder / "b")}}, CONTROL)
    assert bpy.context.scene.render.filepath == str(folder / "out" / "a")


def test_python_in_data_takes_the_scope_exec() -> None:
    curve = cube().driver_add("location", 0)
    path = 'objects["Cube"].animation_data.drivers[0].driver.expression'
    with refused(403) as told:
        rna.put(path, "1+1", CONTROL)
    assert "exec" in told.problem.detail
    assert rna.put(path, "1+1")["value"] == "1+1"
    assert curve.driver.expression == "1+1"
    bpy.data.texts.new("t")
    with refused(403):
        changing.merge(bpy.data.texts["t"], {"use_module": True, "content": "x"}, CONTROL)
    changing.merge(bpy.data.texts["t"], {"content": "x"}, CONTROL)
    assert bpy.data.texts["t"].as_string() == "x"
    bpy.data.texts["t"].use_module = True
    with refused(403):
        changing.merge(bpy.data.texts["t"], {"content": "y"}, CONTROL)
    settings = bpy.context.view_layer.freestyle_settings
    settings.modules.new()
    path = 'scenes[0].view_layers[0].freestyle_settings.modules[0].script'
    with refused(403):
        rna.put(path, "t", CONTROL)
    bpy.data.texts["t"].use_module = False
    settings.modules[0].script = bpy.data.texts["t"]
    with refused(403):
        changing.merge(bpy.data.texts["t"], {"content": "y"}, CONTROL)


def test_data_blocks_are_made() -> None:
    lamp = make("objects", name="Lamp", type='LIGHT', location=[1, 1, 1])
    assert (lamp.type, lamp.data.type, tuple(lamp.location)) == ('LIGHT', 'POINT', (1, 1, 1))
    assert lamp.name in bpy.context.scene.collection.objects
    twin = make(
        "objects", name="Twin", data={"type": "meshes", "name": "Cube"}, collection="Collection"
    )
    assert twin.data == cube().data
    assert make("objects", name="Nothing").type == 'EMPTY'
    assert make("collections", name="Inner", parent="Collection").name in (
        bpy.data.collections["Collection"].children
    )
    assert make("lights", name="Sun", type='SUN', energy=3).energy == 3
    assert make("texts", name="t", content="a\nb").as_string() == "a\nb"
    picture = make("images", name="p", width=8, height=4, alpha=True, generated_type='UV_GRID')
    assert (tuple(picture.size), picture.generated_type) == ((8, 4), 'UV_GRID')
    assert make("materials", name="Red", diffuse_color=[1, 0, 0, 1]).name == "Red"
    for collection in making.makeable():
        make(collection, name="Made")


def test_what_cannot_be_made_leaves_nothing_behind() -> None:
    with refused(409):
        make("objects", name="Cube")
    for collection, body in (
        ("objects", {}),
        ("objects", {"name": ""}),
        ("objects", {"name": "n" * 300}),
        ("objects", {"name": "N", "type": 'NONE'}),
        ("objects", {"name": "N", "type": 'MESH', "location": [1]}),
        ("objects", {"name": "N", "type": 'MESH', "collection": "None"}),
        ("objects", {"name": "N", "data": {"type": "materials", "name": "Material"}}),
        ("objects", {"name": "N", "data": "Cube"}),
        ("lights", {"name": "N", "type": 'NONE'}),
        ("images", {"name": "N", "width": 10**6}),
        ("images", {"name": "N", "alpha": "yes"}),
        ("materials", {"name": "N", "nothing": 1}),
    ):
        with refused(422):
            make(collection, **body)
    with refused(409):
        make("screens", name="N")
    for kind in blocks.kinds().values():
        assert blocks.look_up(kind, "N") is None, kind


def test_images_are_loaded_from_the_allowed_folders(folder: Path) -> None:
    picture = bpy.data.images.new("p", 4, 4)
    picture.file_format = 'PNG'
    picture.save(filepath=str(folder / "p.png"))
    assert make("images", filepath=str(folder / "p.png")).name == "p.png"
    assert make("images", name="q", filepath=str(folder / "p.png")).name == "q"
    with refused(403):
        make("images", name="r", filepath="/etc/passwd")
    with refused(403):
        making.make(
            blocks.kind_of("images"), {"name": "r", "filepath": str(folder / "p.png")}, CONTROL
        )
    with refused(422):
        make("images", name="r", filepath=str(folder / "none.png"))


def test_data_blocks_are_removed() -> None:
    objects, scenes = blocks.kind_of("objects"), blocks.kind_of("scenes")
    making.remove(objects, cube())
    assert "Cube" not in bpy.data.objects
    with refused(409) as told:
        making.remove(scenes, bpy.context.scene)
    assert "last" in told.problem.detail
    with refused(409):
        making.remove(blocks.kind_of("screens"), bpy.data.screens[0])
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode='EDIT')
    with refused(409):
        making.remove(objects, cube())
    with refused(409):
        making.remove(blocks.kind_of("meshes"), cube().data)
    bpy.ops.object.mode_set(mode='OBJECT')
