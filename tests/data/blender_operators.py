"""Operators: found, described, checked, called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy.blender import preferences
from aiobpy.data import operators
from aiobpy.data.operator_context import Context
from aiobpy.data.rights import Rights
from tests.data.refused import refused

if TYPE_CHECKING:
    from pathlib import Path

CONTROL = Rights(frozenset({"read", "control"}))
FILES = Rights(frozenset({"read", "control", "files"}))


async def call(name: str, rights: Rights = CONTROL, **asked: Any) -> dict[str, Any]:
    return await operators.call(operators.Call(name, **asked), rights)


async def test_operators_are_found_by_words() -> None:
    found = await operators.search("Add cube", limit=5)
    assert "mesh.primitive_cube_add" in [item["name"] for item in found["items"]]
    first = await operators.search("primitive add", limit=3)
    then = await operators.search("primitive add", limit=3, after=first["next"])
    assert len(first["items"]) == len(then["items"]) == 3
    assert first["items"][-1]["name"] < then["items"][0]["name"]
    assert (await operators.search("no such words at all"))["items"] == []


def test_an_operator_says_what_it_takes() -> None:
    facts = operators.describe("mesh.primitive_cube_add")
    assert facts["label"] == "Add Cube"
    assert facts["can_run"] is True
    assert facts["scope"] == "control"
    size = next(argument for argument in facts["arguments"] if argument["name"] == "size")
    assert (size["type"], size["default"], size["minimum"]) == ('FLOAT', 2.0, 0.0)
    assert operators.describe("mesh.subdivide")["can_run"] is False
    with refused(404) as told:
        operators.describe("mesh.primitive_cub_add")
    assert "'mesh.primitive_cube_add'" in told.hint
    for name in ("mesh", "mesh.", "os.system", "mesh.__class__", "a.b.c"):
        with refused(404):
            operators.describe(name)


def test_every_operator_can_be_described() -> None:
    for name in operators.names():
        facts = operators.describe(name)
        assert facts["can_run"] is (facts["why_not"] is None), name


async def test_an_operator_runs() -> None:
    told = await call("mesh.primitive_cube_add", args={"size": 3, "location": [1, 2, 3]})
    assert told["result"] == ["FINISHED"]
    assert told["args"]["size"] == 3
    assert told["args"]["align"] == 'WORLD'
    assert tuple(bpy.context.object.location) == (1, 2, 3)


async def test_arguments_are_checked_before_anything_happens() -> None:
    count = len(bpy.data.objects)
    with refused(422) as told:
        args = {"size": -1, "align": 'UP', "location": [1], "nothing": 1, "calc_uvs": "yes"}
        await call("mesh.primitive_cube_add", args=args)
    assert told.errors["/args/size"].startswith("from 0.0 to")
    assert told.errors["/args/align"] == "one of 'WORLD', 'VIEW', 'CURSOR', not 'UP'"
    assert {"/args/location", "/args/nothing", "/args/calc_uvs"} <= told.errors.keys()
    assert len(bpy.data.objects) == count


async def test_a_dry_run_changes_nothing() -> None:
    count = len(bpy.data.objects)
    told = await call("mesh.primitive_cube_add", args={"size": 3}, dry_run=True)
    assert (told["result"], told["dry_run"], told["args"]["size"]) == (None, True, 3)
    assert len(bpy.data.objects) == count
    active = bpy.context.view_layer.objects.active
    await call("mesh.subdivide", context=Context(mode='EDIT', active="Cube"), dry_run=True)
    assert active.mode == 'OBJECT'
    with refused(409):
        await call("mesh.subdivide", dry_run=True)


async def test_it_works_on_what_the_context_names() -> None:
    bpy.ops.mesh.primitive_cube_add(location=(9, 0, 0))
    other = bpy.context.object.name
    context = Context(mode='EDIT', active="Cube", selected=["Cube"])
    told = await call("mesh.subdivide", args={"number_cuts": 2}, context=context)
    assert told["result"] == ["FINISHED"]
    assert len(bpy.data.objects["Cube"].data.vertices) > 8
    assert len(bpy.data.objects[other].data.vertices) == 8
    assert bpy.context.view_layer.objects.active.name == "Cube"
    assert bpy.context.mode == 'OBJECT'
    moved = Context(selected=["Camera", "Light"], active="Light")
    await call("transform.translate", args={"value": [1, 0, 0]}, context=moved)
    assert round(bpy.data.objects["Light"].location.x, 2) == 5.08
    assert bpy.data.objects["Cube"].location.x == 0


async def test_a_context_that_cannot_be_is_refused_and_the_selection_stays() -> None:
    bpy.context.view_layer.objects.active = bpy.data.objects["Light"]
    before = [found.name for found in bpy.context.view_layer.objects if found.select_get()]
    with refused(409) as told:
        await call("mesh.subdivide", context=Context(active="Cube", selected=["Camera"]))
    assert "mesh.subdivide cannot run now" in told.problem.detail
    with refused(404):
        await call("mesh.subdivide", context=Context(active="Cub"))
    with refused(409):
        await call("mesh.subdivide", context=Context(mode='EDIT', active="Camera"))
    with refused(409):
        await call("mesh.subdivide", context=Context(area='VIEW_4D'))
    after = [found.name for found in bpy.context.view_layer.objects if found.select_get()]
    assert (before, bpy.context.view_layer.objects.active.name) == (after, "Light")


async def test_reports_come_back() -> None:
    context = Context(mode='EDIT', active="Cube", selected=["Cube"])
    told = await call("mesh.remove_doubles", context=context)
    assert told["reports"] == [{"level": 'INFO', "text": "Removed 0 vertices"}]


async def test_scopes_keep_files_and_python_apart(folder: Path) -> None:
    for name in (
        "script.python_file_run",
        "text.run_script",
        "console.execute",
        "wm.context_set_value",
        "wm.quit_blender",
        "wm.open_mainfile",
        "preferences.addon_enable",
        "wm.url_open",
        "image.external_edit",
        "image.project_edit",
    ):
        assert operators.describe(name)["scope"] == "exec", name
        with refused(403):
            await call(name, FILES)
    for name in (
        "wm.save_as_mainfile",
        "image.save",
        "text.save",
        "wm.append",
        "sound.mixdown",
        "render.preset_add",
        "wm.interface_theme_preset_add",
        "ptcache.bake",
        "ptcache.free_bake",
        "dpaint.bake",
        "clip.delete_proxy",
    ):
        assert operators.describe(name)["scope"] == "files", name
    await _assert_that_what_names_files_is_not_for_control()
    with refused(403):
        await call("wm.save_as_mainfile", CONTROL, args={"filepath": str(folder / "a.blend")})
    with refused(403):
        await call("wm.save_as_mainfile", FILES, args={"filepath": "/etc/a.blend"})
    args = {"filepath": str(folder / "a.blend"), "copy": True}
    assert (await call("wm.save_as_mainfile", FILES, args=args))["result"] == ["FINISHED"]
    assert (folder / "a.blend").exists()


async def _assert_that_what_names_files_is_not_for_control() -> None:
    """Ask all operators of this Blender: a new one whose name tells of files is to be looked at."""
    telling = re.compile(r"preset_(add|remove|save)$|export|external_(edit|pack|save)|_proxy$")
    loose = [
        name
        for name in operators.names()
        if telling.search(name) and operators.describe(name)["scope"] == "control"
    ]
    assert not loose, loose


async def test_the_panel_is_for_the_person_alone() -> None:
    preferences.register()
    try:
        assert operators.describe("aiobpy.files_folder_add")["scope"] == "admin"
        with refused(403):
            await call("aiobpy.files_folder_add", FILES)
    finally:
        preferences.unregister()


async def test_an_operator_of_an_add_on_that_fails_is_told() -> None:
    class Fails(bpy.types.Operator):  # type: ignore[misc]
        bl_idname = "test.fails"
        bl_label = "Fails"
        count: bpy.props.IntProperty(max=3)  # type: ignore[valid-type]

        def execute(self, _context: Any) -> set[str]:
            self.report({'WARNING'}, "careful")
            if self.count == 1:
                self.report({'ERROR'}, "too few cups")
                return {'CANCELLED'}
            if self.count == 2:
                raise KeyError("cup")
            return {'FINISHED'}

    bpy.utils.register_class(Fails)
    try:
        told = await call("test.fails")
        assert {"level": 'WARNING', "text": "careful"} in told["reports"]
        with refused(409) as failed:
            await call("test.fails", args={"count": 1})
        assert "too few cups" in failed.problem.detail
        with refused(409) as failed:
            await call("test.fails", args={"count": 2})
        assert "KeyError" in failed.problem.detail
        with refused(422):
            await call("test.fails", args={"count": 4})
    finally:
        bpy.utils.unregister_class(Fails)
