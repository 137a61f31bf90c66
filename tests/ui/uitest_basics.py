"""What a test may do, in each Blender."""

import asyncio

import bpy
import pytest

from aiobpy import uitest


async def test_a_key_does_what_it_does_for_a_person() -> None:
    assert len(bpy.context.selected_objects) == 1
    await uitest.press("A")
    await uitest.until(lambda: len(bpy.context.selected_objects) == 3)
    await uitest.press("A", alt=True)
    await uitest.until(lambda: not bpy.context.selected_objects)


@pytest.mark.parametrize("text", ["Würfel 7", "ABC", "日本 -.,/=\\"])
async def test_a_text_is_typed_into_a_field(text: str) -> None:
    await uitest.press("F2")
    await uitest.type_text(text)
    await uitest.press('RET')
    await uitest.until(lambda: bpy.context.object.name == text)
    uitest.compare("name", bpy.context.object.name)


async def test_a_button_is_found_by_its_operator() -> None:
    await uitest.click(operator="view3d.toggle_xray", area='VIEW_3D', region='HEADER')
    assert viewport().shading.show_xray


async def test_a_button_is_found_by_what_its_operator_is_called_with() -> None:
    operator = "wm.tool_set_by_id(name='builtin.move')"
    await uitest.click(operator=operator, area='VIEW_3D', region='TOOLS')
    tool = bpy.context.workspace.tools.from_space_view3d_mode('OBJECT', create=False)
    assert tool.idname == "builtin.move"


async def test_a_number_is_edited_in_its_field() -> None:
    await uitest.open_sidebar("Item")
    field = await uitest.find(prop="location[1]", area='VIEW_3D', region='UI')
    await uitest.move(field.x, field.y)
    await uitest.press('RET')
    await uitest.type_text("2.5\n")
    await uitest.until(lambda: bpy.data.objects["Cube"].location.y == 2.5)
    await uitest.press('Z', ctrl=True)
    await uitest.until(lambda: bpy.data.objects["Cube"].location.y == 0.0)


async def test_a_dialog_has_fields_and_a_return_key() -> None:
    await uitest.move(*uitest.centre())
    await uitest.press("M")
    await uitest.click(operator="object.move_to_collection", popup=True)
    await uitest.type_text("Things\n")
    await uitest.press('RET')
    await uitest.until(lambda: "Things" in bpy.data.collections)


async def test_a_menu_and_a_menu_in_it_are_clicked_through() -> None:
    await uitest.press("A", shift=True)
    await uitest.click(operator="wm.call_menu(name='VIEW3D_MT_mesh_add')", popup=True)
    await uitest.click(operator="mesh.primitive_cone_add", popup=True)
    await uitest.until(lambda: "Cone" in bpy.data.objects)


async def test_a_box_is_dragged_around_what_it_selects() -> None:
    await uitest.press("A", alt=True)
    x, y = uitest.centre()
    await uitest.drag(x - 150, y - 150, x + 120, y + 120)
    await uitest.until(lambda: bpy.data.objects["Cube"].select_get())
    # With a key that is held: one more, or one less.
    await uitest.drag(x - 400, y - 50, x - 100, y + 250, shift=True)
    await uitest.until(lambda: len(bpy.context.selected_objects) == 2)
    await uitest.drag(x - 150, y - 150, x + 120, y + 120, ctrl=True)
    await uitest.until(lambda: [o.name for o in bpy.context.selected_objects] == ["Camera"])


async def test_a_transform_follows_the_pointer_until_it_is_confirmed() -> None:
    x, y = uitest.centre()
    await uitest.move(x, y)
    await uitest.press("G")
    await uitest.until(lambda: len(uitest.window().modal_operators) == 1)
    await uitest.move(x + 100, y)
    await uitest.press('LEFTMOUSE')
    await uitest.until(lambda: not uitest.window().modal_operators)
    assert bpy.data.objects["Cube"].location.length > 0.5


async def test_another_window_is_pressed_and_clicked_in() -> None:
    bpy.ops.wm.window_new()
    await uitest.until(lambda: len(bpy.context.window_manager.windows) == 2)
    await uitest.passes(5)
    await uitest.move(*uitest.centre(in_window=1), in_window=1)
    await uitest.press("A", in_window=1)
    await uitest.until(lambda: len(bpy.context.selected_objects) == 3)


async def test_a_tab_that_is_not_there_is_reported_with_those_that_are() -> None:
    with pytest.raises(LookupError, match=r"the VIEW_3D has no tab 'Tee': .*'Tool'"):
        await uitest.open_sidebar("Tee")


async def test_a_button_that_is_not_there_is_reported_with_those_that_are() -> None:
    with pytest.raises(LookupError, match=r"those there are:\n  bpy\.ops\.wm\.tool_set_by_id"):
        await uitest.find("mesh.no_such_thing", area='VIEW_3D', region='TOOLS')
    with pytest.raises(LookupError, match="no IMAGE_EDITOR with a visible region UI is open"):
        await uitest.find("image.save", area='IMAGE_EDITOR', region='UI')


async def test_what_is_awaited_may_be_of_asyncio() -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0.01))  # under test: asyncio's own timers
        group.create_task(uitest.passes(3))


async def test_a_picture_shows_the_window() -> None:
    picture = await uitest.screenshot("window.png")
    image = bpy.data.images.load(str(picture))
    assert tuple(image.size) == (uitest.window().width, uitest.window().height)
    colours = {tuple(image.pixels[place : place + 3]) for place in range(0, 4 * 400_000, 40_000)}
    assert len(colours) > 3


def viewport() -> bpy.types.SpaceView3D:
    """Return the 3D viewport of the main window."""
    areas = uitest.window().screen.areas
    return next(area.spaces.active for area in areas if area.type == 'VIEW_3D')
