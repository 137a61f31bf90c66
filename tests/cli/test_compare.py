"""`aiobpy compare`: the same jobs on two builds, and a report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.program import pythons

BALL = Path(__file__).parents[1] / "fleet" / "ball.py"
OTHER = """
import bpy
import aiobpy
from typing import Literal

@aiobpy.template()
def swatch(kind: Literal["same", "other", "fails"] = "same") -> None:
    "A colour that is the same everywhere, or the version's own."
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = 'Standard'
    camera = bpy.data.objects.get("C") or bpy.data.objects.new("C", bpy.data.cameras.new("C"))
    if camera.name not in scene.collection.objects:
        scene.collection.objects.link(camera)
    scene.camera = camera
    scene.world.use_nodes = True
    light = {"same": 0.2, "other": bpy.app.version[0] / 10, "fails": 0.0}[kind]
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (light, light, light, 1)
    if kind == "fails" and bpy.app.version >= (5, 0):
        raise ValueError("not in this one")
"""


def compare(*arguments: object, code: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "aiobpy", "compare", *map(str, arguments)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def builds() -> list[object]:
    """The options that name two builds."""
    paths = [pythons()[name] for name in ("bpy-4.5", "bpy-5.0")]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        pytest.fail(f"{missing} are missing; `cargo xtask setup` makes them")
    return [word for path in paths for word in ("--blender", path)]


def test_pictures_of_two_builds_are_compared(builds: list[object], tmp_path: Path) -> None:
    template, jobs, out = tmp_path / "swatch.py", tmp_path / "jobs.json", tmp_path / "report"
    template.write_text(OTHER)
    size = {"width": 48, "height": 32}
    wanted = [
        {"name": kind, "params": {"kind": kind}, "output": size}
        for kind in ("same", "other", "fails")
    ]
    jobs.write_text(json.dumps(wanted))
    said = compare(*builds, template, "--jobs", jobs, "--out", out, code=1)
    assert "error: 2 pictures differ" in said
    report = json.loads((out / "report.json").read_text())
    assert [build["version"][:3] for build in report["builds"]] == ["4.5", "5.0"]
    same, other, fails = report["comparisons"]
    assert (same["job"], same["passes"], same["max_difference"]) == ("same", True, 0)
    assert same["similarity"] == pytest.approx(1.0)
    assert all(seconds > 0 for seconds in same["seconds"])
    assert (other["passes"], fails["passes"]) == (False, False)
    assert other["mean_difference"] > 5
    assert "not in this one" in fails["problem"]
    page = (out / "index.html").read_text()
    assert len(re.findall(r"<section class=\"(same|differs)\">", page)) == 3
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "report.json"]
    assert not re.search(r"(src|href)=\"(?!data:)", page), "it needs no other file"
    # Five pictures and two differences: the one that failed has none.
    assert page.count("data:image/png;base64,") == 7


def test_the_same_build_twice_passes(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.json"
    output = {"width": 32, "height": 24, "samples": 1}
    jobs.write_text(json.dumps([{"params": {"colour": "#3366ff"}, "output": output}]))
    twice = ["--blender", sys.executable] * 2
    said = compare(*twice, BALL, "--jobs", jobs, "--out", tmp_path / "report", code=0)
    assert "same" in said
    assert str(tmp_path / "report" / "index.html") in said


def test_one_blender_alone_cannot_be_compared(tmp_path: Path) -> None:
    said = compare("--blender", sys.executable, BALL, "--out", tmp_path, code=1)
    assert "there is nothing to compare one Blender with" in said


def test_jobs_that_are_none_are_told(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.json"
    jobs.write_text('[{"param": {}}]')
    twice = ["--blender", sys.executable] * 2
    said = compare(*twice, BALL, "--jobs", jobs, code=1)
    assert "is no list of jobs" in said
