"""The pytest plugin as somebody uses it: pytest in pytest, with a real Blender in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender.gui_blender import trees
from tests.libraries import guides

ROOT = Path(__file__).parents[2]


@pytest.mark.blender
@pytest.mark.timeout(300)
def test_the_guides_test_passes(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, uitest_guide=guides.code("ui_tests"))
    assert run.returncode == 0, run.stdout
    assert len(list((tmp_path / "uitest-output").rglob("xray.png"))) == len(trees())


def run_pytest(folder: Path, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run such files in the Blenders that our own tests use, and return what was printed."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    plugins = ("-p", "aiobpy.uitest.plugin", "-p", "tests.conftest", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--color=no", *plugins, *arguments, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
