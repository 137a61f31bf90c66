"""What holds of the interface where there is none: in the `bpy` module."""

from __future__ import annotations

from tests.host.program import run_in_bpy

_OPERATOR = '''
class TEST_OT_bring(aiobpy.AsyncOperator):
    bl_idname = "test.bring"
    bl_label = "Bring Things"
    bl_options = {'REGISTER', 'UNDO'}
    count: bpy.props.IntProperty(default=3)

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)

    async def async_execute(self, context):
        for number in range(self.count):
            self.progress(number / self.count, "bringing")
            await asyncio.sleep(0)
            bpy.data.objects.new(f"Thing {number}", None)
        if self.count == 1:
            raise ValueError("one is not enough")
        if self.count == 2:
            return {'NONSENSE'}

bpy.utils.register_class(TEST_OT_bring)
'''


def test_an_async_operator_runs_to_its_end() -> None:
    printed = run_in_bpy(
        _OPERATOR
        + """
print(bpy.ops.test.bring(), bpy.ops.test.bring('INVOKE_DEFAULT', count=0))
print(sorted(name for name in bpy.data.objects.keys() if name.startswith("Thing")))
for count in (1, 2):
    try:
        bpy.ops.test.bring(count=count)
    except RuntimeError as error:
        print(str(error).strip())
async def inside():
    try:
        bpy.ops.test.bring()
    except RuntimeError as error:
        print(str(error).strip())
aiobpy.run(inside())
leave()
"""
    )
    assert printed.splitlines()[:2] == [
        "{'FINISHED'} {'FINISHED'}",
        "['Thing 0', 'Thing 1', 'Thing 2']",
    ]
    assert "Error: Bring Things: one is not enough" in printed
    assert "async_execute returned {'NONSENSE'}; return {'FINISHED'}" in printed
    assert "cannot run inside a task in a Blender without windows" in printed


def test_operators_are_awaited_without_windows_too() -> None:
    printed = run_in_bpy(
        """
from aiobpy import ui
async def main():
    print(await ui.operator("mesh.primitive_cube_add", size=3.0))
    try:
        await ui.operator("mesh.subdivide")
    except ui.NotPolledError as error:
        print(error)
    try:
        await ui.operator("mesh.subdivid")
    except AttributeError as error:
        print(error)
    print(await ui.operator("object.mode_set", mode='EDIT'))
    print(await ui.operator("mesh.subdivide"), len(bpy.context.object.data.vertices))
    bpy.ops.object.mode_set(mode='OBJECT')
    print(len(bpy.context.object.data.vertices))
aiobpy.run(main())
leave()
"""
    )
    assert "scripts cannot run bpy.ops.mesh.subdivide outside of any area: failed" in printed
    assert "did you mean 'mesh.subdivide'" in printed
    assert printed.splitlines()[-1] == "26"


def test_who_asks_where_nobody_can_answer_is_told() -> None:
    printed = run_in_bpy(
        """
import dataclasses
from aiobpy import ui
@dataclasses.dataclass
class Good:
    count: int = 3
@dataclasses.dataclass
class Bad:
    names: list[str]
async def main():
    for asking in (
        lambda: ui.dialog(Good), lambda: ui.dialog(Bad), lambda: ui.confirm("?"),
        lambda: ui.menu([1]), lambda: ui.pick_file(), lambda: ui.event(type='A'),
    ):
        try:
            await asking()
        except (RuntimeError, TypeError) as error:
            print(type(error).__name__, error)
with aiobpy.owner("bl_ext.user_default.chairs"):
    aiobpy.run(main())
leave()
"""
    )
    lines = printed.splitlines()
    assert lines[0] == (
        "RuntimeError chairs cannot open a dialog: this Blender runs without windows, so nobody"
        " would answer; ask only where `bpy.app.background` is false"
    )
    assert lines[1].startswith("UnsupportedFieldError chairs asks for a dialog of __main__.Bad")
    assert "chairs cannot ask for a confirmation" in lines[2]
    assert "chairs cannot open a menu" in lines[3]
    assert "chairs cannot open the file browser" in lines[4]
    assert "chairs cannot listen for events" in lines[5]


def test_another_thread_is_told_how_to_hand_over() -> None:
    printed = run_in_bpy(
        """
import threading
from aiobpy import ui
host.loop()
def elsewhere():
    for asking in (ui.confirm("?"), ui.dialog(int), ui.operator("mesh.primitive_cube_add")):
        try:
            asyncio.run(asking)
        except RuntimeError as error:
            print(error)
thread = threading.Thread(target=elsewhere, name="worker")
thread.start()
thread.join()
leave()
"""
    )
    assert "cannot ask for a confirmation in the thread 'worker'" in printed
    assert "cannot open a dialog in the thread 'worker'" in printed
    assert "cannot run an operator in the thread 'worker'" in printed
    assert printed.count("loop.call_soon_threadsafe") == 3


def test_nothing_is_left_in_blender_after_the_end() -> None:
    printed = run_in_bpy(
        """
from aiobpy import ui
async def main():
    await ui.operator("mesh.primitive_cube_add")
aiobpy.run(main())
host.shut_down()
print([name for name in dir(bpy.types) if name.startswith("AIOBPY")])
print([f for f in bpy.app.handlers.load_post if f.__module__.startswith("aiobpy")])
leave()
"""
    )
    assert printed.split() == ["[]", "[]"]
