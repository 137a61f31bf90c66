"""Each test of a guide runs in every Blender that there is, without windows and with."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiobpy.uitest.display import Display
from tests.blender.gui_blender import GuiBlender, Installation, install_libraries, trees
from tests.libraries.blenders import DRIVER, Blender, BlenderModule
from tests.libraries.peers import Peers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULES = {"bpy-4.5": ROOT / ".venv-4.5", "bpy-5.0": ROOT / ".venv"}

WITH_WINDOWS = [pytest.mark.blender, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    """Servers that are started when they are asked for."""
    peers = Peers()
    yield peers
    peers.stop()


@pytest.fixture(
    params=[
        *(pytest.param(venv, id=name) for name, venv in MODULES.items()),
        *(pytest.param(tree, id=tree.name, marks=WITH_WINDOWS) for tree in trees()),
    ]
)
def blender(
    request: pytest.FixtureRequest, tmp_path: Path, windowed: WindowedBlenders
) -> Iterator[Blender]:
    """Each Blender in turn."""
    if request.param not in MODULES.values():
        yield windowed.of(request.param)
        return
    python = request.param / "bin" / "python"
    if not python.exists():
        pytest.fail(f"`{python}` is missing; `cargo xtask setup` makes it")
    module = BlenderModule(python, tmp_path / "blender.log")
    folder = tmp_path / "folder"
    folder.mkdir()
    yield Blender(module, folder)
    module.close()


@pytest.fixture(scope="session")
def windowed() -> Iterator[WindowedBlenders]:
    """One Blender of each kind, with windows, for all tests: it takes long to start."""
    blenders = WindowedBlenders()
    yield blenders
    blenders.close()


class WindowedBlenders:
    """Blenders with windows, started when they are asked for.

    Args:
        driver: The script that answers at their end of the wire.
    """

    def __init__(self, driver: Path = DRIVER) -> None:
        self._driver = driver
        self._started: dict[Path, tuple[Installation, GuiBlender]] = {}
        self._display: Display | None = None
        self._resources = ExitStack()

    def of(self, tree: Path) -> Blender:
        """Return a Blender that runs, that of the tests before if it still does."""
        installation, blender = self.running(tree)
        # Its root is the tree: it sees nothing else.
        folder = Path(tempfile.mkdtemp(dir=installation.home))
        return Blender(blender, folder, installation.inside(folder))

    def running(self, tree: Path) -> tuple[Installation, GuiBlender]:
        """Return the same, as the process that it is."""
        if tree not in self._started or not self._started[tree][1].is_running():
            self._started[tree] = self._start(tree)
        return self._started[tree]

    def close(self) -> None:
        """Leave them, as a person would; end those that do not go.

        Raises:
            AssertionError: One did not leave cleanly.
        """
        with self._resources:
            for _, blender in self._started.values():
                if blender.is_running():
                    blender.hang_up()
                    assert blender.wait() == 0, blender.said()
                    assert "Traceback" not in blender.said(), blender.said()

    def _start(self, tree: Path) -> tuple[Installation, GuiBlender]:
        if self._display is None:
            self._display = Display.start()
            self._resources.callback(self._display.stop)
        installation = Installation(tree, self._display)
        self._resources.callback(installation.remove)
        install_libraries(installation)
        blender = GuiBlender(installation, self._driver)
        self._resources.callback(blender.close)
        return installation, blender
