"""Each flow is run, and the rooms that it enters are those of its page in `docs/flows`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.processes import first_line, running

HERE = Path(__file__).parent
PAGES = HERE.parents[1] / "docs" / "flows"


def rooms_of_page(name: str) -> list[str]:
    listed = re.findall(r"^\d+\. `(.+)`$", (PAGES / f"{name}.md").read_text(), re.MULTILINE)
    assert listed, "a page lists its rooms"
    return listed


def check(name: str, trace: Path) -> None:
    entered = trace.read_text().split()
    rooms = rooms_of_page(name)
    assert sorted(set(entered)) == sorted(set(rooms))
    rest = iter(entered)
    assert all(room in rest for room in rooms), f"{rooms} are not entered in this order"


def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIOBPY_TRACE": str(tmp_path / "trace"),
        "AIOBPY_TOKEN": "a-token-for-this-test",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


def request(url: str, body: object, **headers: str) -> urllib.request.Request:
    return urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer a-token-for-this-test",
            "Content-Type": "application/json",
            **headers,
        },
    )


def test_bytes_from_a_socket_reach_a_callback(tmp_path: Path) -> None:
    program = """
import asyncio, socket, aiobpy

class Receiver(asyncio.Protocol):
    def data_received(self, data):
        received.set_result(data)

async def main():
    global received
    loop = asyncio.get_running_loop()
    received = loop.create_future()
    ours, theirs = socket.socketpair()
    transport, _ = await loop.create_connection(Receiver, sock=ours)
    theirs.send(b"hello")
    assert await received == b"hello"
    transport.close()
    theirs.close()

aiobpy.run(main())
aiobpy.host.shut_down()
"""
    subprocess.run([sys.executable, "-c", program], env=environment(tmp_path), check=True)
    check("socket_to_callback", tmp_path / "trace")


def test_a_request_reaches_a_method_on_the_main_thread(tmp_path: Path) -> None:
    method = """
@aiobpy.rpc
async def add(one: int, other: int) -> int:
    aiobpy.host.loop().call_later(0.1, done.set)
    return one + other
"""
    ask_for_the_sum(tmp_path, method, "/api/v1/rpc/add")
    check("http_to_main_thread", tmp_path / "trace")


def test_a_request_reaches_a_site_on_the_main_thread(tmp_path: Path) -> None:
    handler = """
@aiobpy.web.site("cups").post("/add")
async def add(numbers: dict[str, int]) -> int:
    aiobpy.host.loop().call_later(0.1, done.set)
    return sum(numbers.values())
"""
    ask_for_the_sum(tmp_path, handler, "/a/cups/add")
    check("request_to_site", tmp_path / "trace")


def ask_for_the_sum(tmp_path: Path, function: str, path: str) -> None:
    """Ask a program for a sum that a function in it makes, until that has set `done`."""
    program = f"""
import asyncio, aiobpy, aiobpy.server

done = asyncio.Event()
{function}
print(aiobpy.server.start().address, flush=True)
aiobpy.run(done.wait())
aiobpy.server.stop()
"""
    with running([sys.executable, "-c", program], environment(tmp_path)) as serving:
        address = first_line(serving)
        call = request(f"{address}{path}", {"one": 2, "other": 40})
        with urllib.request.urlopen(call) as response:
            assert json.load(response) == 42
    assert serving.returncode == 0


@pytest.mark.slow
def test_a_job_becomes_an_artefact(tmp_path: Path) -> None:
    template = tmp_path / "ball.py"
    template.write_text(BALL)
    command = [sys.executable, "-m", "aiobpy", "serve"]
    command += ["--templates", str(template), "--data", str(tmp_path / "data")]
    with running(command, environment(tmp_path)) as serving:
        found = re.search(r"http://[\d.]+:\d+", first_line(serving))
        assert found
        job = {"template": "ball", "output": {"width": 32, "height": 32}}
        submit = request(f"{found.group()}/api/v1/jobs", job, Prefer="wait=100")
        with urllib.request.urlopen(submit) as response:
            assert response.read(8) == b"\x89PNG\r\n\x1a\n"
        serving.send_signal(signal.SIGTERM)
    assert serving.returncode == 0
    check("job_to_artefact", tmp_path / "trace")


BALL = '''
import aiobpy

@aiobpy.template()
def ball() -> None:
    """A ball."""
    import bpy
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    if "Ball" not in bpy.data.objects:
        bpy.ops.mesh.primitive_uv_sphere_add()
        bpy.context.object.name = "Ball"
        bpy.ops.object.camera_add(location=(0, -6, 0), rotation=(1.57, 0, 0))
        bpy.context.scene.camera = bpy.context.object
'''
