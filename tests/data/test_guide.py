"""The shell lines of the guide, against a Blender that serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.libraries import guides

if TYPE_CHECKING:
    from pathlib import Path

_SERVES: Final = """
import asyncio, os, sys
import bpy
import aiobpy, aiobpy.server

async def serve():
    loop = asyncio.get_running_loop()
    server = aiobpy.server.start(roots=[os.environ["FOLDER"]], loop=loop)
    print(server.address, server.token, flush=True)
    ended = asyncio.Event()
    loop.add_reader(0, ended.set)
    await ended.wait()
    aiobpy.server.stop()

scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = 'CYCLES', 1
aiobpy.run(serve())
os._exit(0)
"""


def test_the_lines_of_the_guide_do_what_it_says(tmp_path: Path) -> None:
    lines = guides.code("blender_over_rest", "sh")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "FOLDER": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as blender:
        assert blender.stdin is not None
        assert blender.stdout is not None
        try:
            address, token = blender.stdout.readline().split()
            told = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", lines],
                env={**environment, "URL": address, "TOKEN": token},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            blender.stdin.close()
            blender.stdout.read()
    assert told.returncode == 0, told.stdout + told.stderr
    found, patched, sun, value, size, search, cut, files, saved, render = map(
        json.loads, told.stdout.splitlines()
    )
    assert [item["name"] for item in found["items"]] == ["Cube"]
    assert patched["custom_properties"] == {"price": 12}
    assert sun["type"] == "LIGHT"
    assert (value["value"], value["unit"]) == (3.0, "LENGTH")
    assert size["value"] == 5
    assert "mesh.subdivide" in [item["name"] for item in search["items"]]
    assert (cut["result"], cut["args"]["number_cuts"]) == (["FINISHED"], 2)
    assert files["missing"] == []
    assert saved["path"] == str(tmp_path / "cup.blend")
    assert render["state"] == "waiting"
