"""`ui.operator`: an operator of Blender's, awaited to its end."""

import asyncio

import bpy
import pytest

from aiobpy import modal, ui, uitest


def runs(identifier: str) -> bool:
    """Whether a modal operator runs."""
    windows = bpy.context.window_manager.windows
    return any(identifier in dict(modal.running_in(window)) for window in windows)


@pytest.mark.parametrize(("key", "result"), [('RET', 'FINISHED'), ('ESC', 'CANCELLED')])
async def test_a_modal_operator_is_awaited(key: str, result: str) -> None:
    await uitest.move(*uitest.centre())
    moving = asyncio.ensure_future(ui.operator("transform.translate", area='VIEW_3D'))
    await uitest.until(lambda: runs("TRANSFORM_OT_translate"))
    await uitest.type_text("2")
    assert not moving.done()
    await uitest.press(key)
    assert await moving == {result}
    assert round(bpy.data.objects["Cube"].location.x, 3) == (2.0 if key == 'RET' else 0.0)


@pytest.mark.parametrize(("key", "result"), [('RET', 'FINISHED'), ('ESC', 'CANCELLED')])
async def test_an_operator_that_asks_is_awaited(key: str, result: str) -> None:
    await uitest.move(*uitest.centre())
    deleting = asyncio.ensure_future(ui.operator("object.delete", area='VIEW_3D', confirm=True))
    await uitest.until(lambda: runs("AIOBPY_OT_watch"))
    await uitest.passes(3)
    assert not deleting.done()
    await uitest.press(key)
    assert await deleting == {result}
    assert ("Cube" in bpy.data.objects) == (key == 'ESC')
    await uitest.until(lambda: not runs("AIOBPY_OT_watch"))


async def test_an_operator_that_does_not_wait_returns_at_once() -> None:
    assert await ui.operator("mesh.primitive_cube_add", size=3.0) == {'FINISHED'}
    assert await ui.operator("mesh.primitive_cube_add", execution='EXEC_DEFAULT') == {'FINISHED'}
    assert len(bpy.data.meshes) == 3


async def test_an_operator_that_does_not_poll_says_where_it_would() -> None:
    with pytest.raises(ui.NotPolledError, match=r"(?i)expected a view3d region.*area='VIEW_3D'"):
        await ui.operator("view3d.view_selected")
    with pytest.raises(ui.NotPolledError, match=r"the mode is OBJECT"):
        await ui.operator("mesh.subdivide", area='VIEW_3D')
    with pytest.raises(ui.NotPolledError, match=r"'image' belong into IMAGE_EDITOR"):
        await ui.operator("image.view_all")
    with pytest.raises(LookupError, match="there is no area NODE_EDITOR"):
        await ui.operator("node.view_all", area='NODE_EDITOR')
    await uitest.until(lambda: not runs("AIOBPY_OT_watch"))


async def test_an_operator_or_a_property_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"did you mean 'mesh.subdivide'"):
        await ui.operator("mesh.subdivde")
    with pytest.raises(AttributeError, match="does not have"):
        await ui.operator("nonsense")
    with pytest.raises(TypeError, match="sizze"):
        await ui.operator("mesh.primitive_cube_add", sizze=3.0)
    await uitest.until(lambda: not runs("AIOBPY_OT_watch"))


async def test_who_stops_waiting_leaves_the_operator_to_the_person() -> None:
    await uitest.move(*uitest.centre())
    moving = asyncio.ensure_future(ui.operator("transform.translate", area='VIEW_3D'))
    await uitest.until(lambda: runs("TRANSFORM_OT_translate"))
    moving.cancel()
    await asyncio.wait([moving])
    assert runs("TRANSFORM_OT_translate")
    await uitest.press('ESC')
    await uitest.until(lambda: not runs("AIOBPY_OT_watch"))
