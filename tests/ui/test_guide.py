"""The guide to the interface, run in each Blender with a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.blender.gui_blender import trees
from tests.libraries import guides
from tests.ui.test_plugin import run_pytest, sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.blender
@pytest.mark.timeout(300)
def test_the_guides_code_does_what_it_says(tmp_path: Path) -> None:
    brought = ("-o", "aiobpy_uitest_packages=ui_page.py")
    run = run_pytest(tmp_path, *brought, ui_page=guides.code("ui"), uitest_guide=sample("guide"))
    assert run.returncode == 0, run.stdout
    assert f"{4 * len(trees())} passed" in run.stdout
