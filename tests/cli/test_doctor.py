"""`aiobpy doctor`: what is missing, and how to put it right."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = Path(__file__).parents[1] / "fleet" / "ball.py"
OLD_BLENDER = Path("/usr/bin/blender")


def doctor(folder: Path, *arguments: object, code: int = 0, **environment: str) -> str:
    """Run it, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "aiobpy", "doctor", "--data", str(folder / "data")]
        + [str(argument) for argument in arguments],
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def findings(printed: str) -> dict[str, dict[str, Any]]:
    return {finding["what"]: finding for finding in json.loads(printed)["findings"]}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, "--templates", TEMPLATE)
    yield service
    service.end()


def test_a_machine_that_has_all_is_well(tmp_path: Path) -> None:
    found = findings(doctor(tmp_path, "--json"))
    assert {"aiobpy", "Python", "bpy module", "graphics cards", "data folder", "port"} <= set(found)
    assert found["Python"]["found"].startswith(f"{sys.version.split()[0]} at")
    assert found["bpy module"]["state"] == "ok"
    assert found["data folder"]["state"] in ("ok", "note"), "there may be little room"
    assert found["discovery files"]["state"] == "ok"
    assert not (tmp_path / "config" / "aiobpy").exists(), "looking changes nothing"
    assert found["server"]["state"] == "note"
    assert "aiobpy serve" in found["server"]["fix"]
    text = doctor(tmp_path)
    assert "ok       bpy module" in text


def test_a_server_that_runs_is_shown(tmp_path: Path, service: Service) -> None:
    found = findings(doctor(tmp_path, "--json"))
    assert found["server"]["state"] == "ok"
    assert f":{service.port} (takes jobs)" in found["server"]["found"]


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        printed = doctor(
            tmp_path, "--json", "--python", bare / "bin/python", "--port", port, PATH="", code=1
        )
    assert json.loads(printed)["ok"] is False
    found = findings(printed)
    assert found["a Blender to work"]["state"] == "missing"
    assert "pip install bpy" in found["a Blender to work"]["fix"]
    assert "No module named 'bpy'" in found["bpy module"]["found"]
    assert found["ffmpeg"]["state"] == "note"
    assert "cannot be made" in found["data folder"]["found"]
    assert f"port {port} of 127.0.0.1 cannot be listened at" in found["port"]["found"]
    assert "--port" in found["port"]["fix"]


def test_a_python_that_is_none(tmp_path: Path) -> None:
    found = findings(doctor(tmp_path, "--json", "--python", "/bin/false", code=1))
    assert found["Python"]["state"] == "missing"
    assert "exit status: 1" in found["Python"]["found"]


@pytest.mark.skipif(not OLD_BLENDER.exists(), reason="Debian's Blender is not installed")
def test_a_blender_that_is_too_old_is_told(tmp_path: Path) -> None:
    found = findings(doctor(tmp_path, "--json", "--blender", OLD_BLENDER, code=1))
    assert "is too old" in found["Blender"]["found"]
    assert found["Blender"]["state"] == "missing"
