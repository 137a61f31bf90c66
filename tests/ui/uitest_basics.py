"""What a test may do, in each Blender."""

import bpy
import pytest

from aiobpy import uitest


async def test_a_key_does_what_it_does_for_a_person() -> None:
    assert len(bpy.context.selected_objects) == 1
    await uitest.press("A")
    await uitest.until(lambda: len(bpy.context.selected_objects) == 3)


@pytest.mark.parametrize("text", ["Würfel 7", "ABC"])
async def test_a_text_is_typed_into_a_field(text: str) -> None:
    await uitest.press("F2")
    await uitest.type_text(text)
    await uitest.press('RET')
    await uitest.until(lambda: bpy.context.object.name == text)
    uitest.compare("name", bpy.context.object.name)


async def test_a_button_is_found_by_its_operator() -> None:
    await uitest.click(operator="view3d.toggle_xray", area='VIEW_3D', region='HEADER')
    assert uitest.window().screen.areas
    await uitest.screenshot("xray.png")
