"""Reading: any data-block, any path."""

from __future__ import annotations

import json
import math
from typing import Any

import bpy

from aiobpy.data import blocks, properties, queries, reading, rna, values
from tests.data.refused import refused


def cube() -> bpy.types.Object:
    return bpy.data.objects["Cube"]


def test_values_are_as_a_person_would_write_them() -> None:
    cube().location = (0.8, -1, 1e-7)
    cube().lock_location[1] = True
    shown = reading.block(cube())
    assert shown["location"] == [0.8, -1.0, 1e-7]
    assert shown["lock_location"] == [False, True, False]
    assert shown["rotation_mode"] == 'XYZ'
    assert shown["data"] == {"type": "meshes", "name": "Cube", "library": None}
    assert shown["parent"] is None
    assert len(shown["matrix_world"]) == 4
    assert shown["delta_rotation_quaternion"] == [1.0, 0.0, 0.0, 0.0]
    assert shown["material_slots"] == {"count": 1, "items": ["Material"]}


def test_what_is_no_number_is_null_and_flags_are_lists() -> None:
    cube()["nothing"] = math.nan
    assert reading.block(cube())["custom_properties"]["nothing"] is None
    settings = rna.get("scenes[0].tool_settings.snap_elements")
    assert settings["value"] == ['INCREMENT']
    assert settings["is_flag"] is True


def test_every_data_block_of_the_file_is_json() -> None:
    bpy.ops.object.armature_add()
    bpy.ops.object.text_add()
    bpy.data.node_groups.new("Group", 'GeometryNodeTree')
    bpy.data.images.new("Picture", 8, 8)
    count = 0
    for kind in blocks.kinds().values():
        for block in blocks.all_of(kind):
            json.dumps(reading.block(block), allow_nan=False)
            assert reading.state_tag(block) == reading.state_tag(block)
            count += 1
    assert count > 20


def test_fields_go_inside() -> None:
    scene = bpy.context.scene
    tree = queries.fields("frame_start,render.resolution_x,camera.data,view_layers.name")
    shown = reading.block(scene, tree)
    assert shown["frame_start"] == 1
    assert shown["render"] == {"resolution_x": 1920}
    assert shown["camera"]["name"] == "Camera"
    assert shown["camera"]["data"]["type"] == "cameras"
    assert shown["view_layers"] == {"ViewLayer": {"name": "ViewLayer"}}
    assert "frame_end" not in shown
    whole = reading.block(scene, queries.fields("render.*"))["render"]
    assert whole["resolution_y"] == 1080
    assert whole["engine"].startswith("BLENDER_EEVEE")
    with refused(404) as told:
        reading.block(scene, queries.fields("frame_strt"))
    assert "frame_start" in told.hint


def test_texts_have_their_content() -> None:
    text = bpy.data.texts.new("notes")
    text.write("ä\nb")
    assert reading.block(text)["content"] == "ä\nb"
    assert reading.block(text, {"content": {}})["content"] == "ä\nb"


def test_the_tag_changes_with_what_can_be_set() -> None:
    before = reading.state_tag(cube())
    bpy.data.meshes.new("another")
    assert reading.state_tag(cube()) == before
    tags = {before}
    modifier = cube().modifiers.new("Round", 'SUBSURF')
    tags.add(reading.state_tag(cube()))
    modifier.levels = 3
    tags.add(reading.state_tag(cube()))
    cube()["own"] = 1
    tags.add(reading.state_tag(cube()))
    cube().location.x = 2
    tags.add(reading.state_tag(cube()))
    assert len(tags) == 5


def test_a_path_tells_all_of_a_property() -> None:
    facts = rna.get('objects["Cube"].location')
    assert facts["value"] == [0.0, 0.0, 0.0]
    assert (facts["type"], facts["subtype"], facts["unit"]) == ('FLOAT', 'TRANSLATION', 'LENGTH')
    assert facts["array_lengths"] == [3]
    assert facts["is_readonly"] is False
    power = rna.get('lights["Light"].energy')
    assert power["value"] == 1000.0
    frame = rna.get("bpy.data.scenes['Scene'].frame_start")
    assert (frame["minimum"], frame["default"]) == (0, 1)
    assert rna.get('objects["Cube"].location[-1]')["index"] == 2
    assert rna.get('objects["Cube"].type')["is_readonly"] is True


def test_an_enum_tells_what_it_takes_here() -> None:
    items = rna.get("scenes[0].render.engine")["items"]
    assert {'CYCLES', 'BLENDER_WORKBENCH'} <= {item["identifier"] for item in items}
    modes = rna.get('objects["Cube"].rotation_mode')["items"]
    assert modes[0]["identifier"] == 'QUATERNION'
    assert modes[0]["label"].startswith("Quaternion")
    assert [item["identifier"] for item in rna.get('objects["Cube"].parent_type')["items"]] == [
        'OBJECT'
    ]


def test_animation_and_drivers_are_told() -> None:
    cube().keyframe_insert("location", index=1)
    cube().driver_add("scale", 0)
    location = rna.get('objects["Cube"].location')
    assert (location["is_animated"], location["is_driven"]) == (True, False)
    assert rna.get('objects["Cube"].location[0]')["is_animated"] is False
    assert rna.get('objects["Cube"].location[1]')["is_animated"] is True
    assert rna.get('objects["Cube"].scale')["is_driven"] is True


def test_paths_lead_through_items_and_custom_properties() -> None:
    cube().modifiers.new('a "b" \'c\' ä', 'SUBSURF')
    cube()["own"] = {"deep": [1, 2]}
    quoted = json.dumps('a "b" \'c\' ä')
    assert rna.get(f'objects["Cube"].modifiers[{quoted}].levels')["value"] == 1
    assert rna.get('objects["Cube"].modifiers[0].levels')["value"] == 1
    assert rna.get('objects["Cube"]["own"]')["value"] == {"deep": [1, 2]}
    assert rna.get('objects["Cube"].data.vertices[0].co[0]')["type"] == 'FLOAT'
    assert rna.get('objects["Cube"].data.materials[0].name')["value"] == "Material"
    assert rna.get('objects["Cube"]')["value"]["type"] == 'MESH'
    whole = rna.get('objects["Cube"].modifiers')["value"]
    assert whole["count"] == 1


def test_paths_that_lead_nowhere_say_what_is_near() -> None:
    with refused(404) as told:
        rna.get('objects["Cub"].location')
    assert "'Cube'" in told.hint
    with refused(404) as told:
        rna.get('objects["Cube"].locaton')
    assert "'location'" in told.hint
    with refused(404) as told:
        rna.get('objcts["Cube"]')
    assert "'objects'" in told.hint
    for path in ("objects[99]", 'objects["Cube"].location[3]', 'objects["Cube"]["none"]'):
        with refused(404):
            rna.get(path)
    for path in ('objects["Cube"].modifiers["x"].name', 'objects["Cube"].location.x'):
        with refused(404):
            rna.get(path)


def test_paths_are_not_python() -> None:
    for path in (
        "",
        "objects",
        "objects.new",
        'objects["Cube"].location + 1',
        'objects["Cube"]()',
        'objects["Cube"',
        'objects["Cube"].location[0:2]',
        "objects[__import__('os')]",
        "x" * 2000,
    ):
        with refused(400, 404):
            rna.get(path)
    for name in ("__class__", "rna_type", "bl_rna", "select_set", "to_mesh", "id_data"):
        with refused(404):
            rna.get(f'objects["Cube"].{name}')


def test_every_property_of_a_scene_can_be_described() -> None:
    described = 0
    for prop in properties.visible(bpy.context.scene):
        place = f"scenes[0].{prop.identifier}"
        json.dumps(rna.get(place), allow_nan=False)
        inside = getattr(bpy.context.scene, prop.identifier)
        if prop.type == 'POINTER' and inside is not None:
            for inner in properties.visible(inside):
                json.dumps(rna.get(f"{place}.{inner.identifier}"), allow_nan=False)
                described += 1
    assert described > 200


def test_whatever_can_be_reached_can_be_read() -> None:
    """Some properties of editors that were never drawn end Blender when they are read."""
    seen: set[str] = set()
    for kind in blocks.kinds().values():
        for block in blocks.all_of(kind):
            visit(block, seen)
    assert len(seen) > 60


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


def test_half_a_character_is_no_name() -> None:
    with refused(404):
        rna.get('objects["\\ud800"]')
    with refused(422):
        rna.put("scenes[0].camera", "\ud800")


def test_a_render_result_that_is_not_there_loads_nothing() -> None:
    shown = reading.block(bpy.data.images.new("p", 4, 4))
    assert shown["pixels"] is None or shown["pixels"] == [0.0, 0.0, 0.0, 1.0] * 16
