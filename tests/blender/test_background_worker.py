"""A real `blender --background` as the fleet's warm worker, asked over REST."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiobpy
from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.blender.gui_blender import Installation

pytestmark = pytest.mark.blender

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
    service = Service(
        shared,
        *("--templates", shared / "ball.py"),
        *("--blender", blender),
        *("--package-dir", package_dir),
    )
    try:
        job = {"template": "ball", "output": {"width": 48, "height": 32}}
        answer = service.ask("POST", "/api/v1/jobs", job, Prefer="wait=50")
        assert answer.status == 200, answer.body
        assert answer.body.startswith(b"\x89PNG")
        versions = [worker["blender_version"] for worker in service.workers()]
        assert versions == [installation.version()]
    finally:
        code = service.end()
    assert code == 0, service.errors()


def _script(installation: Installation, shared: Path) -> str:
    """A Blender like any other; the mount is this process's alone and goes with it."""
    mount = f"mount --bind {shared} {installation.tree}{shared}"
    command = " ".join(installation.command_line())
    return f"""#!/bin/sh
exec unshare --mount sh -c '{mount} && exec {command} "$@"' blender "$@"
"""
