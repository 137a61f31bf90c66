"""What an add-on asks or listens to ends with it, and nothing of others does."""

import asyncio

import bpy

import aiobpy
from aiobpy import host, modal, owners, ui, uitest
from aiobpy.ui import popups

heard: list[str] = []


async def listen(name: str) -> None:
    """Hear a key until cancelled."""
    async for event in ui.events(type='F20', value='PRESS'):
        heard.append(f"{name} {event.type}")  # noqa: PERF401 - while it goes on


def listens() -> bool:
    """Whether our operator runs."""
    return "AIOBPY_OT_listen" in dict(modal.running_in(uitest.window()))


async def test_an_add_on_takes_its_own_along_when_it_is_disabled() -> None:
    heard.clear()
    with aiobpy.owner("chairs"):
        ours = [aiobpy.spawn(listen("chairs")), aiobpy.spawn(ui.confirm("Chairs?"))]
        never_awaited = ui.events(type='F20')
    with aiobpy.owner("tables"):
        listening, asking = aiobpy.spawn(listen("tables")), aiobpy.spawn(ui.confirm("Tables?"))
    await uitest.until(lambda: sum(popup.is_shown for popup in popups._open.values()) == 2)

    host.release(owners.of("chairs"))
    await asyncio.wait(ours)
    assert all(task.cancelled() for task in ours)
    assert [event async for event in never_awaited] == []

    # The popup of the other one comes back, and has all keys while it is there.
    await uitest.until(lambda: [popup.is_shown for popup in popups._open.values()] == [True])
    await uitest.passes(3)
    await uitest.press('RET')
    assert await asking is True
    assert listens()
    await uitest.press('F20')
    await uitest.until(lambda: heard == ["tables F20"])
    listening.cancel()
    await asyncio.wait([listening])
    await uitest.until(lambda: not listens())


async def test_an_operator_that_is_unregistered_while_it_awaits_leaves_nothing() -> None:
    class UITEST_OT_wait(aiobpy.AsyncOperator):
        bl_idname = "uitest.wait"
        bl_label = "Wait"

        async def async_execute(self, _context: bpy.types.Context) -> set[str] | None:
            self.progress(0.5)
            await asyncio.get_running_loop().create_future()
            return None

    bpy.utils.register_class(UITEST_OT_wait)
    others = asyncio.all_tasks()
    with bpy.context.temp_override(window=uitest.window()):
        bpy.ops.uitest.wait('INVOKE_DEFAULT')
    (task,) = asyncio.all_tasks() - others
    await uitest.passes(3)
    bpy.utils.unregister_class(UITEST_OT_wait)
    await uitest.passes(3)
    # As when its add-on is disabled.
    task.cancel()
    await asyncio.wait([task])
    await uitest.passes(5)
    await uitest.press('ESC')
