"""What holds for all guides."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.libraries import guides


def test_every_guide_is_listed_and_has_a_test() -> None:
    overview = (guides.FOLDER / "README.md").read_text()
    listed = re.findall(r"\]\(([\w-]+)\.md\)", overview)
    assert sorted(listed) == guides.names()
    tests = (path.read_text() for path in Path(__file__).parents[1].glob("*/test_*.py"))
    runs = r'(?:blender\.run|guides\.code)\("([\w-]+)"'
    run = {name for text in tests for name in re.findall(runs, text)}
    assert run == set(guides.names())


@pytest.mark.parametrize("name", guides.names())
def test_a_guide_is_one_screen_of_code_as_we_write_it(name: str) -> None:
    lines = guides.code(name).splitlines()
    assert sum(1 for line in lines if line) <= 60
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--quiet", "--ignore=D100,INP"]
    folder = guides.FOLDER.parents[1] / ("tests" if name == "ui_tests" else "examples")
    place = ["--stdin-filename", str(folder / f"{name}.py"), "-"]
    checked = subprocess.run(
        [*ruff, *place], input=guides.code(name), capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
