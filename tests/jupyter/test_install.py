"""`aiobpy jupyter`: what it writes, and what it says when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from jupyter_client.kernelspec import KernelSpecManager

if TYPE_CHECKING:
    from pathlib import Path


def test_jupyter_finds_the_kernel(jupyter_folder: Path) -> None:
    kernelspec = KernelSpecManager().get_kernel_spec("blender")
    ask = [sys.executable, "-c", "import bpy; print(bpy.app.version_string)"]
    version = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split("\n")[-2]
    assert kernelspec.display_name == f"Blender {version}"
    assert kernelspec.argv[0] == sys.executable
    assert kernelspec.interrupt_mode == "message"


def test_a_kernel_comes_and_goes(tmp_path: Path) -> None:
    place = ("--prefix", tmp_path, "--name", "mine")
    assert "Blender" in done("install", *place, "--display-name", "My Blender")
    assert done("list", "--prefix", tmp_path).strip().endswith("mine: My Blender")
    done("uninstall", *place)
    assert done("list", "--prefix", tmp_path).startswith("none")
    said = refused("uninstall", *place)
    assert "has no kernel that `aiobpy jupyter install` wrote" in said


def test_the_users_kernels_are_in_jupyters_folder(tmp_path: Path) -> None:
    done("install", JUPYTER_DATA_DIR=str(tmp_path))
    assert (tmp_path / "kernels" / "blender" / "kernel.json").exists()


def test_a_kernel_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}")
    said = refused("install", "--prefix", tmp_path, "--name", "python3")
    assert "did not write" in said
    assert "hint: give ours another name" in said
    assert theirs.read_text() == "{}"


def test_a_python_without_ipykernel(tmp_path: Path) -> None:
    broken = "raise ModuleNotFoundError(\"No module named 'ipykernel'\")"
    said = refused("install", "--prefix", tmp_path, PYTHONPATH=shadow(tmp_path, broken))
    assert "cannot import ipykernel: No module named 'ipykernel'" in said
    assert f'hint: {sys.executable} -m pip install "ipykernel>=7"' in said
    assert not (tmp_path / "share").exists()


def test_a_python_with_an_old_ipykernel(tmp_path: Path) -> None:
    old = "version_info = (6, 29, 5)\n__version__ = '6.29.5'"
    said = refused("install", "--prefix", tmp_path, PYTHONPATH=shadow(tmp_path, old))
    assert "has ipykernel 6.29.5, and 7 is needed" in said


def test_a_kernel_that_jupyter_starts_without_ipykernel_says_so(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "aiobpy.jupyter", tmp_path / "connection.json"],
        env={**os.environ, "PYTHONPATH": shadow(tmp_path, "raise ImportError('gone')")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 1
    assert "cannot import ipykernel: gone\nhint: " in ended.stderr


def test_a_program_that_is_no_blender(tmp_path: Path) -> None:
    program = tmp_path / "blender"
    said = refused("install", "--prefix", tmp_path, "--blender", program)
    assert f"there is no Blender `{program}`" in said
    program.write_text("echo no Blender; exit 3")
    said = refused("install", "--prefix", tmp_path, "--blender", f"sh {program}")
    assert "did not say what it is (exit status: 3); its last lines:\nno Blender" in said


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["install", "--gui"], "--blender"),
        (["install", "--name", "my blender"], "blender-5.2"),
        (["install", "--user", "--sys-prefix"], "cannot be used with"),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], hint: str) -> None:
    assert hint in refused(*arguments, code=2)


def shadow(folder: Path, ipykernel: str) -> str:
    """Return a path on which `ipykernel` is this text."""
    package = folder / "shadow" / "ipykernel"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(ipykernel)
    return str(package.parent)


def done(*arguments: object, **environment: str) -> str:
    """Run the command, see that it succeeds, and return what it prints."""
    finished = run(*arguments, **environment)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def refused(*arguments: object, code: int = 1, **environment: str) -> str:
    """Run the command, see that it fails, and return what it says."""
    finished = run(*arguments, **environment)
    assert finished.returncode == code, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stderr


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `aiobpy jupyter`."""
    return subprocess.run(
        [sys.executable, "-m", "aiobpy", "jupyter", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
