"""Kernels in folders of this run: ours, as the command installs it, and IPython's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.jupyter.notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = {"blender": ".venv", "blender-4.5": ".venv-4.5"}
"""Kernels that are a `bpy` module, and the environments that have it."""


@pytest.fixture(scope="session", autouse=True)
def jupyter_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Jupyter keeps everything during these tests; it has the kernels."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share" / "jupyter"))
        for name in ("CONFIG", "DATA", "RUNTIME"):
            (folder / name.lower()).mkdir()
            patch.setenv(f"JUPYTER_{name}_DIR", str(folder / name.lower()))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYTHONWARNINGS", "default")
        for name, venv in MODULES.items():
            if not (python := ROOT / venv / "bin" / "python").exists():
                pytest.fail(f"`{python}` is missing; `cargo xtask setup` makes it")
            place = ("--prefix", str(folder), "--name", name)
            _run("aiobpy", "jupyter", "install", *place, "--python", str(python))
        _run("ipykernel", "install", "--name", "stock", "--prefix", str(folder))
        yield folder


@pytest.fixture(scope="module", params=MODULES)
def notebook(request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook with our kernel, for all tests of a module that leave it running."""
    with Notebook.opened(request.param) as notebook:
        yield notebook


def _run(*module_and_arguments: str) -> None:
    subprocess.run([sys.executable, "-m", *module_and_arguments], check=True, timeout=100)
