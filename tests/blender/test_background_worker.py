"""A real `blender --background` as the fleet's warm worker, asked over REST."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from tests.processes import first_line, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.blender.gui_blender import Installation

pytestmark = pytest.mark.blender

TOKEN = "a-token-for-this-test"
BALL = Path(__file__).parents[1] / "fleet" / "ball.py"


@pytest.fixture
def shared(installation: Installation, tmp_path: Path) -> Iterator[Path]:
    """A folder that the Blender in its tree sees under the same path as we do."""
    mount_point = installation.tree / tmp_path.relative_to("/")
    mount_point.mkdir(parents=True)
    yield tmp_path
    mount_point.rmdir()


def test_a_real_blender_in_the_background_renders_what_is_asked_over_rest(
    installation: Installation, shared: Path
) -> None:
    package_dir = shared / "package"
    shutil.copytree(Path(aiobpy.__file__).parent, package_dir / "aiobpy")
    shutil.copy(BALL, shared)
    blender = shared / "blender"
    blender.write_text(_script(installation, shared))
    blender.chmod(0o755)
    arguments: list[str | Path] = ["--templates", shared / "ball.py", "--data", shared / "data"]
    arguments += ["--blender", blender, "--package-dir", package_dir]
    environment = {**os.environ, "AIOBPY_TOKEN": TOKEN, "XDG_CONFIG_HOME": str(shared)}
    command = [sys.executable, "-m", "aiobpy", "serve", *arguments]
    with running(command, environment) as serving:
        address = re.search(r"http://[\d.]+:\d+", first_line(serving))
        assert address
        url = f"{address.group()}/api/v1"
        job = {"template": "ball", "output": {"width": 48, "height": 32}}
        image = _ask(f"{url}/jobs", job, Prefer="wait=100")
        assert image.startswith(b"\x89PNG")
        workers = json.loads(_ask(f"{url}/workers"))["workers"]
        assert [worker["blender_version"] for worker in workers] == [installation.version()]
        serving.send_signal(signal.SIGTERM)
    assert serving.returncode == 0


def _script(installation: Installation, shared: Path) -> str:
    """A Blender like any other; the mount is this process's alone and goes with it."""
    mount = f"mount --bind {shared} {installation.tree}{shared}"
    command = " ".join(installation.command_line())
    return f"""#!/bin/sh
exec unshare --mount sh -c '{mount} && exec {command} "$@"' blender "$@"
"""


def _ask(url: str, body: Any = None, **headers: str) -> bytes:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            **headers,
        },
    )
    with urllib.request.urlopen(request, timeout=110) as response:
        answer: bytes = response.read()
        return answer
