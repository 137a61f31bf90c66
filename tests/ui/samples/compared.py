import bpy

from aiobpy import uitest


async def test_is_much_the_same() -> None:
    uitest.compare("cubes", [o.name for o in bpy.data.objects if o.name.startswith("Cube")])
    uitest.compare("version", tuple(bpy.app.version))
