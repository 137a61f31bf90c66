"""Each Blender in turn, without windows and with, running code of old."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.blender.gui_blender import trees
from tests.libraries.blenders import BlenderModule, Guest
from tests.libraries.conftest import MODULES, WITH_WINDOWS, WindowedBlenders

if TYPE_CHECKING:
    from collections.abc import Iterator

_DRIVER = Path(__file__).with_name("driver.py")


@pytest.fixture(
    params=[
        *(pytest.param(venv, id=name) for name, venv in MODULES.items()),
        *(pytest.param(tree, id=tree.name, marks=WITH_WINDOWS) for tree in trees()),
    ]
)
def blender(
    request: pytest.FixtureRequest, tmp_path: Path, windowed: WindowedBlenders
) -> Iterator[Guest]:
    """Each Blender in turn."""
    if request.param in MODULES.values():
        module = BlenderModule(request.param / "bin" / "python", tmp_path / "log", _DRIVER)
        yield module
        module.close()
    else:
        yield windowed.running(request.param)[1]


@pytest.fixture(scope="session")
def windowed() -> Iterator[WindowedBlenders]:
    """One Blender of each kind, with windows, for all tests: it takes long to start."""
    blenders = WindowedBlenders(_DRIVER)
    yield blenders
    blenders.close()
