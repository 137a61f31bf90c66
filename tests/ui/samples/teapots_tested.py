import addon_utils
import bpy

from aiobpy import uitest


async def test_the_button_pours_a_cup() -> None:
    addon_utils.enable("teapots")
    await uitest.open_sidebar("Teapots")
    await uitest.click(operator="teapots.pour", area='VIEW_3D', region='UI')
    await uitest.until(lambda: "Cup" in bpy.data.objects)
    addon_utils.disable("teapots")
