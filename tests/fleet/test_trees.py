"""A worker in a real `blender --background`, and what the module `bpy` cannot do."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import aiobpy
from aiobpy.uitest.blenders import link_or_copy
from tests.blender.gui_blender import trees
from tests.fleet.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}
LONG: dict[str, Any] = {"width": 960, "height": 720, "samples": 20_000}


@pytest.fixture(scope="module", params=trees(), ids=lambda tree: tree.name)
def worker(request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    """A worker in one of Debian's Blenders, started as a supervisor starts it."""
    tree: Path = request.param
    (tree / "tmp").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="aiobpy-test-", dir=tree / "tmp"))
    inside = Path("/") / folder.relative_to(tree)
    shutil.copytree(Path(aiobpy.__file__).parent, folder / "aiobpy", copy_function=link_or_copy)
    shutil.copy(HERE / "ball.py", folder)
    environment = [f"HOME={inside}", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"]
    flags = ["--background", "--factory-startup", "--disable-autoexec", "--python"]
    script = f"{inside}/aiobpy/worker/__main__.py"
    supervisor = Supervisor(
        folder,
        [inside / "ball.py"],
        ["chroot", str(tree), "env", "-i", *environment, "blender", *flags, script],
        seen_as=inside,
        builtins=True,
        roots=[str(inside)],
    )
    assert supervisor.greeting["type"] == "ready", supervisor.greeting
    yield supervisor
    supervisor.end()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_cancelled_job_is_left_within_the_frame_again_and_again(worker: Supervisor) -> None:
    assert worker.greeting["can_leave"] is True
    before = worker.render("ball", {"colour": "#ff0000"}, **SMALL)
    for _ in range(3):
        worker.begin("ball", {"size": 2}, **LONG)
        worker.hear("progressed")
        answer = worker.cancel()
        assert (answer["type"], answer["problem"]["type"]) == ("failed", "render-failed")
        assert worker.process.poll() is None
    again = worker.render("ball", {"colour": "#ff0000"}, **SMALL)
    with Image.open(before) as image, Image.open(again) as other:
        assert image.tobytes() == other.tobytes()


def test_the_built_in_templates_are_there(worker: Supervisor) -> None:
    described = worker.greeting["templates"]
    assert not [one for one in described if one.get("broken")]
    assert len(described) == 7


def test_the_module_cannot_be_stopped_and_says_so(
    supervise: Callable[..., Supervisor],
) -> None:
    assert supervise(HERE / "ball.py").greeting["can_leave"] is False


def test_a_video_is_left_between_its_frames(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    scene = str(tmp_path / "studio.blend")
    script = str(HERE / "studio.py")
    subprocess.run([sys.executable, script, "build", scene], check=True, timeout=120)
    shutil.copy(HERE / "shop.py", tmp_path)
    worker = supervise(tmp_path / "shop.py")
    frames = {"first": 1, "last": 5000}
    worker.begin("shop", {}, format="mp4", frames=frames, width=16, height=16, samples=1)
    worker.hear("progressed")
    problem = worker.cancel()["problem"]
    assert problem["type"] == "cancelled"
    assert worker.render("shop").exists()
