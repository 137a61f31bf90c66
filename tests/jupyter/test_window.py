"""A notebook and a person share a Blender with a window: the kernel is a guest of its main loop."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy.uitest.display import Display
from tests.blender.gui_blender import Installation, trees
from tests.jupyter import interrupts
from tests.jupyter.notebook import PATIENCE, Notebook
from tests.jupyter.test_protocol import PatientTests

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.blender, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    """A display that lasts for all tests."""
    display = Display.start()
    yield display
    display.stop()


@pytest.fixture(scope="module", params=trees(), ids=lambda tree: tree.name)
def installation(
    request: pytest.FixtureRequest, display: Display, jupyter_folder: Path
) -> Iterator[Installation]:
    """Each Blender in turn, which has the folder of Jupyter under the same path as we do."""
    installation = Installation(request.param, display)
    mount_point = installation.tree / jupyter_folder.relative_to("/")
    mount_point.mkdir(parents=True)
    yield installation
    mount_point.rmdir()
    installation.remove()


@pytest.fixture(scope="module")
def kernel(installation: Installation, jupyter_folder: Path) -> str:
    """Install the kernels as a person does, and return the name of that with a window."""
    folder = jupyter_folder / installation.tree.name
    shutil.copytree(Path(aiobpy.__file__).parent, folder / "package" / "aiobpy")
    (folder / "packages").mkdir()
    blender = folder / "blender"
    blender.write_text(script(installation, jupyter_folder, folder / "packages"))
    blender.chmod(0o755)
    for name, options in ("window", ["--gui"]), ("background", []):
        install(
            *("--prefix", jupyter_folder, "--name", f"{name}-{installation.tree.name}"),
            *("--blender", blender, *options),
            *("--packages", folder / "packages", "--package-dir", folder / "package"),
        )
    return f"window-{installation.tree.name}"


@pytest.fixture(scope="module")
def notebook(kernel: str) -> Iterator[Notebook]:
    """A notebook in the window, for all tests that leave it running."""
    with Notebook.opened(kernel) as notebook:
        yield notebook


def test_an_operator_finds_the_viewport(notebook: Notebook) -> None:
    assert notebook.value("bpy.app.background") == "False"
    assert notebook.value("C.area.type, C.window is not None") == "('VIEW_3D', True)"
    assert notebook.value("bpy.ops.mesh.primitive_cone_add(); C.object.name") == "'Cone'"
    # It refuses to run anywhere else.
    assert notebook.value("bpy.ops.view3d.view_axis(type='TOP')") == "{'FINISHED'}"


def test_blender_goes_on_while_a_cell_awaits(notebook: Notebook) -> None:
    notebook.run(
        "ticks = []\n"
        "def tick():\n"
        "    ticks.append(C.area)\n"
        "    return 0.0\n"
        "bpy.app.timers.register(tick)"
    )
    answer = notebook.run(
        "import asyncio\n"
        "before = len(ticks)\n"
        "while len(ticks) < before + 20:\n"
        "    await asyncio.sleep(0)\n"
        "D.objects['Cube'].location.x = 2\n"
        "bpy.app.timers.unregister(tick)\n"
        "C.area.type, {area is None for area in ticks}, D.objects['Cube'].location.x"
    )
    assert answer.result == "('VIEW_3D', {True}, 2.0)", answer


def test_a_cell_is_one_step_of_undo(notebook: Notebook) -> None:
    assert notebook.run("D.objects['Cube'].location.y = 3").status == "ok"
    assert notebook.run("D.objects['Cube'].location.y = 4").status == "ok"
    cell = "bpy.ops.ed.undo(); D.objects['Cube'].location.y"
    assert notebook.value(cell) == "3.0"


def test_the_names_hold_after_a_file_is_loaded(notebook: Notebook) -> None:
    assert notebook.run("bpy.ops.wm.read_homefile(use_empty=True)").status == "ok"
    assert notebook.value("len(D.objects), C.area.type") == "(0, 'VIEW_3D')"
    assert notebook.run("bpy.ops.wm.read_homefile()").status == "ok"
    assert notebook.value("D.objects['Cube'].name, C.area.type") == "('Cube', 'VIEW_3D')"


@interrupts.CELLS
def test_an_interrupt_ends_a_cell_wherever_it_is(
    notebook: Notebook, cell: str, ended_by: str
) -> None:
    interrupts.check_a_cell(notebook, cell, ended_by)


def test_an_interrupt_ends_a_task_that_never_would(notebook: Notebook) -> None:
    interrupts.check_a_task_that_spins(notebook)


def test_an_interrupt_is_for_the_cell_and_not_for_the_tasks_beside_it(notebook: Notebook) -> None:
    interrupts.check_the_tasks_beside_a_cell(notebook)


def test_jupyters_own_test_of_a_kernel_passes(
    kernel: str, jupyter_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite leaves its connection file where Blender in its tree would not find it.
    monkeypatch.setattr(tempfile, "tempdir", str(jupyter_folder))
    tests = type("Tests", (PatientTests,), {"kernel_name": kernel})
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(tests).run(result)
    assert not result.failures + result.errors, result.failures + result.errors
    assert result.testsRun == 12


def test_a_restart_opens_another_blender_and_the_end_closes_it(kernel: str) -> None:
    with Notebook.opened(kernel) as notebook:
        first = notebook.process
        assert notebook.run("x = 1").status == "ok"
        notebook.restart()
        assert first.wait(PATIENCE) == 0
        assert notebook.run("x").error == "NameError"
        second = notebook.process
    assert second.wait(PATIENCE) == 0


def test_a_blender_without_a_window_is_a_kernel_too(
    installation: Installation, kernel: str
) -> None:
    with Notebook.opened(f"background-{installation.tree.name}") as notebook:
        process = notebook.process
        assert (
            notebook.value("bpy.app.background, bpy.app.binary_path")
            == "(True, '/usr/bin/blender')"
        )
        interrupts.check_a_cell(notebook, "{begun}\nwhile True: pass", "KeyboardInterrupt")
    assert process.wait(PATIENCE) == 0


def test_a_blender_without_ipykernel_says_how_to_get_it(
    installation: Installation, jupyter_folder: Path, kernel: str
) -> None:
    folder = jupyter_folder / installation.tree.name
    with pytest.raises(subprocess.CalledProcessError) as failed:
        install(
            *("--prefix", folder, "--blender", folder / "blender"),
            *("--package-dir", folder / "package"),
        )
    python = (installation.tree / "usr/bin/python3").readlink().name.removeprefix("python")
    assert f"with Python {python} cannot import ipykernel" in failed.value.stderr
    assert f"--python-version {python} --only-binary :all:" in failed.value.stderr


def install(*arguments: object) -> None:
    """Run `aiobpy jupyter install`."""
    command = [sys.executable, "-m", "aiobpy", "jupyter", "install", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=100, capture_output=True, text=True)


def script(installation: Installation, shared: Path, packages: Path) -> str:
    """A Blender like any other; the mounts are this process's alone and go with it."""
    python = (installation.tree / "usr/bin/python3").readlink().name.removeprefix("python")
    for_python = ROOT / ".venv" / "blender-jupyter" / python
    mounts = (
        f"mount --bind {for_python} {packages}"
        f" && mount --rbind {shared} {installation.tree}{shared}"
        f" && mount --rbind /proc {installation.tree}/proc"
    )
    command = " ".join(installation.command_line())
    return f"""#!/bin/sh
exec unshare --mount sh -c '{mounts} && exec {command} "$@"' blender "$@"
"""
