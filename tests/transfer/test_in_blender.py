"""Inside Blender's Python: while its main thread works, a download goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.host.program import run_in_bpy
from tests.transfer.origin import content

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transfer.conftest import Origin

MIB = 1 << 20

PROGRAM = '''
import sys
from pathlib import Path

url, path = {url!r}, Path({path!r})
data_url, upload_url = {data_url!r}, {upload_url!r}

async def main():
    bpy.ops.mesh.primitive_monkey_add()
    task = asyncio.ensure_future(aiobpy.download(url, path))
    # One turn in which the download begins; from then on the main thread is Blender's.
    await asyncio.sleep(0)
    while not path.exists():
        bpy.ops.object.modifier_add(type='SUBSURF')
        bpy.context.object.modifiers[-1].levels = 2
        bpy.context.view_layer.update()
        bpy.context.object.modifiers.clear()
    assert not task.done()
    got = await task
    answer = (await aiobpy.fetch(data_url)).json()
    bpy.context.object.name = answer["name"]
    bpy.ops.wm.save_as_mainfile(filepath=str(path) + ".blend")
    sent = await aiobpy.upload(upload_url, str(path) + ".blend")
    print(got.size, bpy.context.object.name, sent.status)

aiobpy.run(main())
host.shut_down()
print([task.read_text() for task in Path("/proc/self/task").glob("*/comm")
       if task.read_text().startswith("aiobpy")])
leave()
'''


def test_a_download_ends_while_blender_works(origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "file"
    upload_url = origin.file(text="taken")
    printed = run_in_bpy(
        PROGRAM.format(
            url=origin.file(size=8 * MIB, drops=[MIB]),
            path=str(path),
            data_url=origin.file(text='{"name": "Suzanne II"}', content_type="application/json"),
            upload_url=upload_url,
        )
    )
    assert printed.splitlines()[-2:] == [f"{8 * MIB} Suzanne II 200", "[]"]
    assert path.read_bytes() == content(8 * MIB)
    blend = (tmp_path / "file.blend").read_bytes()
    assert origin.asked(upload_url)[0]["body_size"] == len(blend)
