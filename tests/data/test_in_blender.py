"""What `aiobpy.data` does in three Blenders without windows: each `blender_*.py` beside this."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.host.program import run_in_bpy

_HERE: Final = Path(__file__).parent
_MODULES: Final = sorted(path.stem for path in _HERE.glob("blender_*.py"))


@pytest.mark.parametrize("module", _MODULES)
def test_data(module: str, python: Path) -> None:
    finished = subprocess.run(
        [python, "-m", "tests.data.inside", f"tests.data.{module}"],
        cwd=_HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    results: dict[str, str | None] = json.loads(finished.stdout.splitlines()[-1])
    assert results
    failed = [f"{test}\n{problem}" for test, problem in results.items() if problem is not None]
    if failed:
        pytest.fail("\n\n".join(failed), pytrace=False)


def test_it_is_served_again_after_aiobpy_was_shut_down(python: Path, tmp_path: Path) -> None:
    program = """
for _ in range(2):
    async def ask():
        loop = asyncio.get_running_loop()
        server = aiobpy.server.start(loop=loop)
        headers = {"Authorization": "Bearer " + server.token}
        answer = await aiobpy.fetch(server.address + "/api/v1/objects/Cube", headers=headers)
        print(answer.json()["name"])
        aiobpy.server.stop()
    assert "aiobpy.data" not in sys.modules or _ == 1
    import aiobpy.server
    aiobpy.run(ask())
    host.shut_down()
leave()
"""
    assert run_in_bpy(program, python, XDG_CONFIG_HOME=str(tmp_path)) == "Cube\nCube\n"
