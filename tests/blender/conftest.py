"""A display for the session, and each real Blender that the machine has."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiobpy.uitest.display import Display
from tests.blender.gui_blender import GuiBlender, Installation, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


_TREES: list[Path | None] = [*trees()]


@pytest.fixture(scope="session")
def display() -> Iterator[Display]:
    """A display that lasts for all tests."""
    display = Display.start()
    yield display
    display.stop()


@pytest.fixture(params=_TREES or [None], ids=lambda tree: tree.name if tree else "none")
def installation(request: pytest.FixtureRequest, display: Display) -> Iterator[Installation]:
    """Each Blender in turn, with an empty home folder."""
    if request.param is None:
        pytest.skip("no Blender with windows is installed; `cargo xtask setup` installs two")
    installation = Installation(request.param, display)
    yield installation
    installation.remove()


@pytest.fixture(scope="session")
def extension_zip() -> Path:
    """Return the extension, as `cargo xtask extension` builds it."""
    if named := os.environ.get("AIOBPY_EXTENSION"):
        return Path(named)
    built = sorted((ROOT / "dist").glob("aiobpy-*.zip"))
    if not built:
        pytest.skip("the extension is not built; `cargo xtask extension` builds it")
    return built[-1]


@pytest.fixture
def start(
    request: pytest.FixtureRequest, installation: Installation
) -> Iterator[Callable[[], GuiBlender]]:
    """Start a Blender with a window; those that still run at the test's end are ended."""
    started: list[GuiBlender] = []

    def start_one() -> GuiBlender:
        blender = GuiBlender(installation)
        started.append(blender)
        blender.ask("ready")
        return blender

    yield start_one
    try:
        if any(blender.is_running() for blender in started):
            name = re.sub(r"\W+", "-", request.node.name)
            installation.display.screenshot(ROOT / "out" / f"still-running-{name}.png")
    finally:
        for blender in started:
            blender.close()
