"""Python's end, with work under way: Blender 4.2 would crash then and 4.5 hang, if we held on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.host.program import run_to_the_end

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = '''
import asyncio, bpy, aiobpy

async def wait():
    await asyncio.Event().wait()

async def main():
    aiobpy.spawn(wait(), name="waits for an hour")
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    END

aiobpy.run(main())
print("the end of the script", flush=True)
'''


@pytest.mark.parametrize(
    "end",
    ["await asyncio.sleep(0)", "from aiobpy import server; server.start(token='t' * 16)"],
    ids=["tasks and connections", "a web server"],
)
def test_python_ends_cleanly_with_work_under_way(end: str, python: Path, tmp_path: Path) -> None:
    home = str(tmp_path)
    program = PROGRAM.replace("END", end)
    finished = run_to_the_end(program, python, HOME=home, XDG_CONFIG_HOME=home)
    assert "the end of the script" in finished.stdout
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
