"""`aiobpy.AsyncOperator`: an operator that awaits."""

import asyncio

import bpy

import aiobpy
from aiobpy import modal, progress, ui, uitest
from aiobpy.ui import popups


class Gate:
    """Opened by the test, step by step."""

    event: asyncio.Event


ended: list[int] = []


class UITEST_OT_bring(aiobpy.AsyncOperator):
    """Add empties, one by one"""

    bl_idname = "uitest.bring"
    bl_label = "Import Things"

    count: bpy.props.IntProperty(default=2)  # type: ignore[valid-type]

    def __init__(self, *arguments: object, **keywords: object) -> None:
        super().__init__(*arguments, **keywords)
        self.added = 0

    async def async_execute(self, context: bpy.types.Context) -> set[str] | None:
        try:
            for number in range(self.count):
                self.progress(number / self.count, f"thing {number + 1}")
                await Gate.event.wait()
                Gate.event.clear()
                thing = bpy.data.objects.new(f"Thing {number}", None)
                context.scene.collection.objects.link(thing)
                self.added += 1
        finally:
            ended.append(self.added)
        if self.count == 1:
            raise ValueError("one is not enough")
        return None


def begin(**properties: int) -> set[str]:
    """Start it as a button does."""
    Gate.event = asyncio.Event()
    ended.clear()
    progress.forget_failures()
    if not hasattr(bpy.types, "UITEST_OT_bring"):
        bpy.utils.register_class(UITEST_OT_bring)
    with bpy.context.temp_override(window=uitest.window()):
        result: set[str] = bpy.ops.uitest.bring('INVOKE_DEFAULT', **properties)
    return result


def runs() -> bool:
    """Whether Blender still has it."""
    return "UITEST_OT_bring" in dict(modal.running_in(uitest.window()))


def things() -> list[str]:
    """What it has added."""
    return [name for name in sorted(bpy.data.objects.keys()) if name.startswith("Thing")]


async def step() -> None:
    """Let it go on by one thing."""
    Gate.event.set()
    await uitest.until(lambda: not Gate.event.is_set())


async def test_it_ends_with_one_undo_step() -> None:
    bpy.ops.ed.undo_push(message="Before")
    assert begin() == {'RUNNING_MODAL'}
    await step()
    await uitest.passes(5)
    await uitest.screenshot("async_operator.png")
    (_, work), *_ = [
        (task, work) for task, work in progress.under_way() if work.name == "Import Things"
    ]
    assert (work.fraction, work.text) == (0.5, "thing 2")
    await step()
    await uitest.until(lambda: not runs())
    assert things() == ["Thing 0", "Thing 1"]
    bpy.ops.ed.undo()
    assert things() == []
    bpy.ops.ed.redo()
    assert things() == ["Thing 0", "Thing 1"]


async def test_esc_cancels_it() -> None:
    begin()
    await step()
    await uitest.press('ESC')
    await uitest.until(lambda: not runs())
    assert ended == [1]
    assert things() == ["Thing 0"]


async def test_an_error_is_reported_and_its_traceback_kept() -> None:
    begin(count=1)
    await step()
    await uitest.until(lambda: not runs())
    await uitest.passes(5)
    await uitest.screenshot("async_operator_error.png")
    (failure,) = progress.failures()
    assert failure.name == "Import Things"
    assert failure.is_told, "by Blender's report of the operator"
    assert "ValueError: one is not enough" in failure.text
    progress.forget_failures()


async def test_a_file_load_ends_it_and_what_it_leaves_behind_does_no_harm() -> None:
    begin()
    await step()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    await uitest.until(lambda: not runs())
    await uitest.passes(5)
    # Its `finally` block has touched the operator, which Blender had freed.
    assert ended == []
    assert progress.failures() == []


async def test_it_is_awaited_like_any_operator() -> None:
    begin(count=0)
    await uitest.until(lambda: not runs())
    assert await ui.operator("uitest.bring", count=0) == {'FINISHED'}
    # Within a task, where nobody may block, it goes on as from the interface.
    assert bpy.ops.uitest.bring('EXEC_DEFAULT', count=0) == {'RUNNING_MODAL'}
    await uitest.until(lambda: not runs())


async def test_it_asks_in_the_window_where_it_was_started() -> None:
    class UITEST_OT_ask(aiobpy.AsyncOperator):
        bl_idname = "uitest.ask"
        bl_label = "Ask"

        async def async_execute(self, _context: bpy.types.Context) -> set[str] | None:
            return {'FINISHED'} if await ui.confirm("Here?") else {'CANCELLED'}

    bpy.utils.register_class(UITEST_OT_ask)
    bpy.ops.wm.window_new()
    with bpy.context.temp_override(window=uitest.window(1)):
        bpy.ops.uitest.ask('INVOKE_DEFAULT')
    await uitest.until(lambda: [popup.is_shown for popup in popups._open.values()] == [True])
    (popup,) = popups._open.values()
    assert popup.window == uitest.window(1).as_pointer()
    await uitest.press('ESC', in_window=0)
    assert not popup.answer.done()
    # Its window takes it along.
    with bpy.context.temp_override(window=uitest.window(1)):
        bpy.ops.wm.window_close()
    await uitest.until(lambda: not popups._open)
    bpy.utils.unregister_class(UITEST_OT_ask)
