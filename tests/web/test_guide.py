"""The add-on of the guide, in each Blender without windows: used, disabled, enabled again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.host.program import run_in_bpy
from tests.libraries import guides

if TYPE_CHECKING:
    from pathlib import Path


def test_the_guides_add_on_serves_until_it_is_disabled(tmp_path: Path, python: Path) -> None:
    place = tmp_path / "scripts" / "addons"
    place.mkdir(parents=True)
    (place / "cups.py").write_text(guides.code("web"))
    (place / "saucers.py").write_text(
        """
from aiobpy import web
bl_info = {"name": "Saucers", "blender": (4, 2, 0), "category": "Object"}
web.site("saucers").get("/")(lambda: "saucers")
def register(): pass
def unregister(): pass
"""
    )
    printed = run_in_bpy(
        '''
import addon_utils, json
import aiobpy.server

async def ask(method, path, body=None):
    """Return the status and the body of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    content = b"" if body is None else json.dumps(body).encode()
    writer.write((
        f"{method} {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{server.port}\\r\\nConnection: close\\r\\n"
        f"Authorization: Bearer {server.token}\\r\\nContent-Type: application/json\\r\\n"
        f"Content-Length: {len(content)}\\r\\n\\r\\n"
    ).encode() + content)
    head, _, content = (await reader.read()).partition(b"\\r\\n\\r\\n")
    writer.close()
    return [int(head.split()[1]), content.decode()]

async def main():
    global server
    server = aiobpy.server.start(loop=asyncio.get_running_loop())
    for name in ("cups", "saucers"):
        addon_utils.enable(name, default_set=True)
    for method, path, body in [
        ("POST", "/a/cups/cups", {"name": "Blue"}),
        ("GET", "/a/cups/cups?prefix=Bl", None),
        ("POST", "/a/cups/cups", {"name": "Red", "height": 100}),
        ("DELETE", "/a/cups/cups/Blue", None),
        ("DELETE", "/a/cups/cups/Blue", None),
    ]:
        print(json.dumps(await ask(method, path, body)))
    addon_utils.disable("cups", default_set=True)
    print(json.dumps(await ask("GET", "/a/cups/cups?limit=1")))
    print(json.dumps(await ask("GET", "/a/saucers")))
    addon_utils.enable("cups", default_set=True)
    print(json.dumps(await ask("GET", "/a/cups/cups?limit=2")))
    aiobpy.server.stop()

aiobpy.run(main())
leave()
''',
        python,
        BLENDER_USER_RESOURCES=str(tmp_path),
        XDG_CONFIG_HOME=str(tmp_path),
    )
    made, listed, unfit, removed, again, disabled, saucers, enabled = (
        json.loads(line) for line in printed.splitlines() if line.startswith("[")
    )
    assert (made[0], json.loads(made[1])) == (201, {"name": "Blue", "height": 1.0})
    assert (listed[0], json.loads(listed[1])) == (200, [{"name": "Blue", "height": 0.0}])
    assert unfit[0] == 422
    assert json.loads(unfit[1])["errors"][0]["pointer"] == "/height"
    assert removed == [204, ""]
    assert again[0] == 404
    assert disabled[0] == 404
    assert saucers == [200, "saucers"]
    assert enabled[0] == 200
