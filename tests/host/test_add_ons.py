"""Add-ons that Blender's own `addon_utils` enables and disables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.host.program import run_in_bpy

if TYPE_CHECKING:
    from pathlib import Path

ADD_ON = '''
import asyncio
import bpy
import aiobpy
from aiobpy import owners

bl_info = {"name": "NAME", "blender": (4, 2, 0), "category": "System"}

async def pour():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("NAME ended while registered:", hasattr(bpy.types, "NAME_OT_pour"))

class NAME_OT_pour(bpy.types.Operator):
    bl_idname, bl_label = "name.pour", "Pour"

    def execute(self, context):
        aiobpy.spawn(pour())
        return {'FINISHED'}

@aiobpy.rpc(name="name.fill")
def fill() -> str:
    return "full"

def register():
    bpy.utils.register_class(NAME_OT_pour)
    aiobpy.spawn(pour())

def unregister():
    bpy.utils.unregister_class(NAME_OT_pour)
    owners.current().on_release(lambda: print("NAME: what unregister() began"))
'''

SCRIPT = '''
import addon_utils
from aiobpy import owners

def a_turn():
    aiobpy.run(asyncio.sleep(0))

def tasks_of(name):
    return len(owners.of(name).tasks)

loop = host.loop()
'''


def add_ons(folder: Path, *names: str) -> dict[str, str]:
    """Write add-ons; return the environment in which Blender finds them."""
    place = folder / "scripts" / "addons"
    place.mkdir(parents=True)
    for name in names:
        source = ADD_ON.replace("NAME", name.upper()).replace("name.", f"{name}.")
        (place / f"{name}.py").write_text(source)
    return {"BLENDER_USER_RESOURCES": str(folder)}


def test_disabling_an_add_on_ends_its_tasks_and_no_others(tmp_path: Path, python: Path) -> None:
    printed = run_in_bpy(
        SCRIPT
        + '''
for name in ("cups", "teapots"):
    addon_utils.enable(name, default_set=True)
bpy.ops.teapots.pour()
a_turn()
print(tasks_of("teapots"), tasks_of("cups"))
bpy.ops.preferences.addon_disable(module="teapots")
print(tasks_of("teapots"), tasks_of("cups"))
addon_utils.enable("teapots")
a_turn()
print(tasks_of("teapots"), tasks_of("cups"))
host.shut_down()
print(addon_utils.disable.__module__, hasattr(addon_utils.disable, "aiobpy_original"))
leave()
''',
        python,
        **add_ons(tmp_path, "cups", "teapots"),
    )
    *first, one, other, last = printed.splitlines()[-9:]
    assert first == [
        "2 1",
        "TEAPOTS ended while registered: True",
        "TEAPOTS ended while registered: True",
        "TEAPOTS: what unregister() began",
        "0 1",
        "1 1",
    ]
    # At a shut down nobody is before anybody else.
    assert {one, other} == {f"{name} ended while registered: True" for name in ("CUPS", "TEAPOTS")}
    assert last == "addon_utils False"


def test_reloading_all_scripts_ends_and_starts_what_add_ons_have_begun(
    tmp_path: Path, python: Path
) -> None:
    printed = run_in_bpy(
        SCRIPT
        + '''
addon_utils.enable("teapots", default_set=True)
a_turn()
bpy.utils.load_scripts(reload_scripts=True)
a_turn()
print(tasks_of("teapots"))
host.shut_down()
leave()
''',
        python,
        **add_ons(tmp_path, "teapots"),
    )
    assert [line for line in printed.splitlines() if "TEAPOTS" in line or line == "1"] == [
        "TEAPOTS ended while registered: True",
        "TEAPOTS: what unregister() began",
        "1",
        "TEAPOTS ended while registered: True",
    ]


def test_disabling_within_a_task_does_not_wait_for_itself(tmp_path: Path, python: Path) -> None:
    printed = run_in_bpy(
        SCRIPT
        + '''
async def main():
    addon_utils.enable("teapots", default_set=True)
    await asyncio.sleep(0)
    addon_utils.disable("teapots", default_set=True)
    while tasks_of("teapots"):
        await asyncio.sleep(0)
    print("gone")

aiobpy.run(main())
leave()
''',
        python,
        **add_ons(tmp_path, "teapots"),
    )
    assert printed.splitlines()[-1] == "gone"


def test_methods_are_offered_while_their_add_on_is_enabled(tmp_path: Path, python: Path) -> None:
    printed = run_in_bpy(
        SCRIPT
        + '''
from aiobpy.rpc import registered
for name in ("cups", "teapots"):
    addon_utils.enable(name, default_set=True)
print(sorted(registered()))
addon_utils.disable("teapots", default_set=True)
print(sorted(registered()))
for _ in range(2):
    addon_utils.enable("teapots", default_set=True)
print(sorted(registered()))
addon_utils.disable("teapots", default_set=True)
print(sorted(registered()))
leave()
''',
        python,
        **add_ons(tmp_path, "cups", "teapots"),
    )
    assert [line for line in printed.splitlines() if line.startswith("[")] == [
        "['cups.fill', 'teapots.fill']",
        "['cups.fill']",
        "['cups.fill', 'teapots.fill']",
        "['cups.fill']",
    ]
