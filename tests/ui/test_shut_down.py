"""The loop is shut down, or Blender quits, while a person is being asked."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy.uitest.display import Display
from tests.blender.gui_blender import GuiBlender, Installation, trees

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVER = Path(__file__).with_name("shut_down_driver.py")
pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(params=trees(), ids=lambda tree: tree.name)
def blender(request: pytest.FixtureRequest) -> Iterator[GuiBlender]:
    """Each Blender in turn."""
    with contextlib.ExitStack() as resources:
        display = Display.start()
        resources.callback(display.stop)
        installation = Installation(request.param, display)
        resources.callback(installation.remove)
        version = installation.version().rpartition(".")[0]
        modules = installation.home / ".config" / "blender" / version / "scripts" / "modules"
        shutil.copytree(Path(aiobpy.__file__).parent, modules / "aiobpy")
        blender = GuiBlender(installation, DRIVER)
        resources.callback(blender.close)
        yield blender


def test_a_shut_down_leaves_nothing_and_all_begins_anew_after_it(blender: GuiBlender) -> None:
    first, second = blender.ask("shut_down_twice")
    assert first == [[True, True, True, True], []]
    assert second == [[True, True], []]
    blender.hang_up()
    assert blender.wait() == 0, blender.said()
    assert "Traceback" not in blender.said()
    assert "unable to get Python class" not in blender.said()


def test_blender_quits_while_a_person_is_asked(blender: GuiBlender) -> None:
    blender.ask("open_popups")
    blender.hang_up()
    assert blender.wait() == 0, blender.said()
    assert "Traceback" not in blender.said()
