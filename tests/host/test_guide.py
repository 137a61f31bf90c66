"""The add-on of the guide, in each Blender without windows: enabled, used, disabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.host.program import run_in_bpy
from tests.libraries import guides

if TYPE_CHECKING:
    from pathlib import Path


def test_the_guides_add_on_follows_the_weather_until_it_is_disabled(
    tmp_path: Path, python: Path
) -> None:
    place = tmp_path / "scripts" / "addons"
    place.mkdir(parents=True)
    (place / "weather.py").write_text(guides.code("add_ons"))
    printed = run_in_bpy(
        '''
import addon_utils
from aiobpy import progress

asked = []

async def answer(reader, writer):
    asked.append(await reader.readuntil(b"\\r\\n\\r\\n"))
    body = b'{"sky": [0.25, 0.5, 1.0], "seconds": %d}' % (0 if len(asked) == 1 else 3600)
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    addon_utils.enable("weather", default_set=True)
    bpy.ops.weather.follow(address=f"http://127.0.0.1:{port}/")
    ((task, work),) = [pair for pair in progress.under_way() if pair[1].name == "Weather"]
    while work.text != "Report 2 of 3" or tuple(bpy.context.scene.world.color) != (0.25, 0.5, 1.0):
        await asyncio.sleep(0)
        if task.done():
            task.result()
    print(work.owner.name, f"{work.fraction:.2f}")
    addon_utils.disable("weather", default_set=True)
    await asyncio.wait([task])
    print(task.cancelled())
    server.close()

aiobpy.run(main())
leave()
''',
        python,
        BLENDER_USER_RESOURCES=str(tmp_path),
    )
    assert printed.splitlines()[-3:] == ["weather 0.67", "weather: no more", "True"]
