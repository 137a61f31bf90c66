"""The command `aiobpy` when something is wrong: it says what, with what, and what to do next."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parents[1] / "fleet" / "ball.py"


def refused(folder: Path, *arguments: object, code: int = 1) -> str:
    """Run the command, see that it fails, and return what it says."""
    finished = subprocess.run(
        [sys.executable, "-m", "aiobpy", *map(str, arguments)],
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == code, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    assert "panicked" not in finished.stderr
    return finished.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(
            tmp_path, "serve", "--templates", TEMPLATE, "--data", tmp_path, "--port", port
        )
    assert f"another program listens on port {port} of 127.0.0.1" in said
    assert "hint: choose another port" in said


def test_a_blender_that_is_not_there(tmp_path: Path) -> None:
    blender = tmp_path / "blender"
    said = refused(
        tmp_path, "serve", "--templates", TEMPLATE, "--data", tmp_path, "--blender", blender
    )
    assert f"there is no Blender `{blender}`" in said
    assert "hint: give `--blender` the path of the program" in said


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    template = tmp_path / "mug.py"
    said = refused(tmp_path, "serve", "--templates", template, "--data", tmp_path)
    assert f"the template `{template}` does not exist" in said
    assert "hint: check the path given to `--templates`" in said


def test_no_server_to_submit_to(tmp_path: Path) -> None:
    said = refused(tmp_path, "submit", "--template", "ball", "--out", tmp_path / "ball.png")
    assert "no server" in said
    assert "hint: start one with `aiobpy serve" in said


def test_a_picture_of_no_known_format(tmp_path: Path) -> None:
    said = refused(tmp_path, "submit", "--template", "ball", "--out", tmp_path / "ball.tiff")
    assert "says no format" in said
    assert "hint: end it in .png, .jpg, .mp4 or .glb" in said


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    assert "--workers" in refused(tmp_path, "serve", "--workers", "many", code=2)
    said = refused(
        tmp_path, "submit", "--template", "ball", "--param", "red", "--out", "b.png", code=2
    )
    assert "colour=#d13b2a" in said
