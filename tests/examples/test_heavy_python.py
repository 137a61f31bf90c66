"""`examples/heavy_python` with a second interpreter that has nothing of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_examples import in_blender
from tests.processes import first_line, running

FOLDER = Path(__file__).parents[2] / "examples" / "heavy_python"

FUNCTIONS = '''
import sys

def about():
    print("this is not a message")
    return {"prefix": sys.prefix.encode(), "has_bpy": bytes(["bpy" in sys.modules])}

def twice(numbers, *, times):
    import array
    return {"numbers": array.array("i", [number * times for number in numbers])}

def fail(numbers):
    raise ZeroDivisionError("over there")

def forever():
    while True:
        pass

def leave():
    import os
    os._exit(3)
'''

PROLOGUE = """
    import asyncio, json, sys, time
    from pathlib import Path
    import bpy
    import numpy as np
    import aiobpy
    sys.path.insert(0, sys.argv[1])
    import heavy
"""


@pytest.fixture(scope="session")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another environment: Python and nothing else."""
    folder = tmp_path_factory.mktemp("other") / "env"
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True, timeout=100)
    return folder / "bin" / "python"


def test_a_mesh_is_deformed_by_another_python(other_python: Path) -> None:
    program = (
        PROLOGUE
        + """
    import deform

    async def main():
        bpy.ops.mesh.primitive_grid_add(x_subdivisions=200, y_subdivisions=200, size=2)
        name = bpy.context.object.name
        async with heavy.started(sys.argv[2], deform.RIPPLES) as other:
            task = asyncio.ensure_future(deform.deform(other, name))
            turns = 0
            while not task.done():
                turns += 1
                await asyncio.sleep(0)
            await task
        after = deform.read(name).reshape(-1, 3)
        expected = 0.2 * np.cos(4 * np.pi * np.hypot(after[:, 0], after[:, 1]))
        return {"turns": turns, "error": float(abs(after[:, 2] - expected).max())}

    print(json.dumps(aiobpy.run(main())))
    """
    )
    got = in_blender(program, str(FOLDER), str(other_python))
    assert got["error"] < 1e-5
    assert got["turns"] > 2, "Blender was free meanwhile"


CONVERSATION = (
    PROLOGUE
    + """
    async def talk(other):
        about = await other.call("about", {})
        numbers = np.arange(500_000, dtype=np.int32)
        calls = [other.call("twice", {"numbers": numbers}, times=times) for times in range(1, 4)]
        got = [np.asarray(each["numbers"]) for each in await asyncio.gather(*calls)]
        sums = [int(each.sum(dtype=np.int64)) for each in got]
        try:
            await other.call("fail", {"numbers": numbers[:0]})
        except heavy.HeavyError as error:
            failed = str(error)
        task = asyncio.ensure_future(other.call("forever", {}))
        # Its message has been sent when the next one's is.
        waiting = asyncio.ensure_future(other.call("twice", {"numbers": numbers[:3]}, times=7))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        last = np.asarray((await waiting)["numbers"]).tolist()
        assert task.cancelled()
        try:
            await other.call("nothing", {})
        except heavy.HeavyError as error:
            unknown = str(error)
        return {
            "prefix": bytes(about["prefix"]).decode(),
            "has_bpy": bytes(about["has_bpy"])[0],
            "sums": sums, "failed": failed, "last": last, "unknown": unknown,
        }
"""
)

BY_PIPE = (
    CONVERSATION
    + """
    async def main():
        async with heavy.started(sys.argv[2], Path(sys.argv[3])) as other:
            said = await talk(other)
            try:
                await other.call("leave", {})
            except heavy.GoneError as error:
                said["gone"] = str(error)
            return said

    print(json.dumps(aiobpy.run(main())))
"""
)

BY_SOCKET = (
    CONVERSATION
    + """
    async def main():
        # One that leaves in the middle of a call is no burden for the next.
        async with heavy.connected(sys.argv[2]) as other:
            task = asyncio.ensure_future(other.call("forever", {}))
            await asyncio.sleep(0)
            task.cancel()
        async with heavy.connected(sys.argv[2]) as other:
            return await talk(other)

    print(json.dumps(aiobpy.run(main())))
"""
)


def check(got: Any, other_python: Path) -> None:
    assert got["prefix"] == str(other_python.parents[1])
    assert got["has_bpy"] == 0
    whole = sum(range(500_000))
    assert got["sums"] == [whole, 2 * whole, 3 * whole]
    assert "Traceback (most recent call last)" in got["failed"]
    assert "ZeroDivisionError: over there" in got["failed"]
    assert got["last"] == [0, 7, 14]
    assert "no function 'nothing'" in got["unknown"]


def test_the_two_talk_over_pipes(other_python: Path, tmp_path: Path) -> None:
    functions = tmp_path / "functions.py"
    functions.write_text(FUNCTIONS)
    got = in_blender(BY_PIPE, str(FOLDER), str(other_python), str(functions))
    check(got, other_python)
    assert "has ended" in got["gone"]


def test_the_two_talk_over_a_socket(other_python: Path, tmp_path: Path) -> None:
    functions = tmp_path / "functions.py"
    functions.write_text(FUNCTIONS)
    path = tmp_path / "socket"
    command = (other_python, "-I", FOLDER / "worker.py", functions, "--socket", path)
    with running([str(argument) for argument in command], os.environ) as worker:
        assert first_line(worker) == "ready"
        got = in_blender(BY_SOCKET, str(FOLDER), str(path))
        worker.kill()
    check(got, other_python)
