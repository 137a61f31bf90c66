"""One worker and one server for many tests: a Blender takes a second to start."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet.service import Service
from tests.fleet.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
STAND_IN = HERE.parents[1] / "crates" / "fleet" / "tests" / "stand_in_worker.py"
"""Draws what it is told, without Blender."""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good and bad templates."""
    folder = tmp_path_factory.mktemp("templates")
    shutil.copy(HERE / "ball.py", folder)
    for name, scene in (("missing", "nowhere.blend"), ("corrupt", "corrupt.blend")):
        text = (
            f"import aiobpy\n@aiobpy.template(scene={scene!r})\n"
            f"def {name}() -> None:\n    'It has a scene that is {name}.'\n"
        )
        (folder / f"{name}.py").write_text(text)
    (folder / "corrupt.blend").write_bytes(b"BLENDER-v500" + b"\xff" * 4096)
    (folder / "faulty.py").write_text("import aiobpy\n\n@aiobpy.template()\ndef faulty(:\n")
    (folder / "helper.py").write_text("raise RuntimeError('this is no template: do not run it')\n")
    return folder


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    """Start workers that end with the test."""
    started: list[Supervisor] = []

    def start(*templates: Path, command: list[str] | None = None, **welcome: Any) -> Supervisor:
        folder = tmp_path / f"worker-{len(started)}"
        folder.mkdir()
        started.append(Supervisor(folder, list(templates), command, **welcome))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.end()


@pytest.fixture(scope="module")
def worker(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """A worker with all the templates."""
    supervisor = Supervisor(tmp_path_factory.mktemp("worker"), [templates])
    assert supervisor.greeting["type"] == "ready", supervisor.greeting
    yield supervisor
    supervisor.end()


@pytest.fixture
def draw(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start servers whose workers only draw, and end in no time; they end with the test."""
    started: list[Service] = []

    def start(*arguments: object, cache: bool = False) -> Service:
        blender = ("--templates", tmp_path, "--blender", STAND_IN, "--package-dir", tmp_path)
        started.append(Service(tmp_path, *blender, *arguments, cache=cache))
        return started[-1]

    yield start
    for service in started:
        service.end()
