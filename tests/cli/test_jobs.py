"""`aiobpy submit`, `watch` and `workers` against a server with a real Blender."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = Path(__file__).parents[1] / "fleet" / "ball.py"
SMALL = ("--width", "32", "--height", "24", "--samples", "1")
ID = r"[0-9a-f-]{36}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("jobs"), "--templates", TEMPLATE)
    yield service
    assert service.end() == 0, service.errors()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aiobpy", *map(str, arguments)]


def surroundings(service: Service) -> dict[str, str]:
    return {**os.environ, "XDG_CONFIG_HOME": str(service.config)}


def aiobpy(service: Service, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    done = subprocess.run(
        command(*arguments),
        env=surroundings(service),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_job_is_submitted_and_its_picture_written(service: Service, tmp_path: Path) -> None:
    output = tmp_path / "ball.png"
    done = aiobpy(
        service, "submit", "--template", "ball", "--param", "colour=#00ff00", *SMALL, "-o", output
    )
    assert str(output) in done.stdout
    with Image.open(output) as image:
        assert image.size == (32, 24)
    assert re.search(rf"{ID} ball: 0 % queued\n", done.stderr)
    assert done.stderr.endswith("ball: 100 % finished\n")


def test_without_a_file_the_job_s_id_is_all(service: Service) -> None:
    same = ("submit", "--template", "ball", *SMALL, "--key", "one of these")
    first, second = (aiobpy(service, *same).stdout.strip() for _ in range(2))
    assert re.fullmatch(ID, first)
    assert second == first, "it is the same request"
    waited = aiobpy(service, *same, "--wait")
    assert waited.stdout == f"{first} finished\n"


def test_a_file_is_sent_along(service: Service, tmp_path: Path) -> None:
    scene, output = tmp_path / "scene.blend", tmp_path / "scene.png"
    make = "import bpy, os, sys; bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1]); os._exit(0)"
    subprocess.run([sys.executable, "-c", make, scene], check=True, capture_output=True)
    render = ("submit", "--template", "builtin/preview", "--input", f"scene={scene}")
    aiobpy(service, *render, "--width", "32", "--height", "32", "--output", output)
    with Image.open(output) as image:
        assert image.size == (32, 32)
    said = aiobpy(service, *render[:-1], f"scene={tmp_path}/none.blend", code=1).stderr
    assert "could not read" in said


def test_jobs_are_watched_to_their_end(service: Service) -> None:
    good, bad = (
        aiobpy(service, "submit", "--template", "ball", "--param", f"misbehave={how}", *SMALL)
        for how in ("no", "raise")
    )
    ids = [good.stdout.strip(), bad.stdout.strip()]
    done = aiobpy(service, "watch", *ids, code=1)
    assert sorted(done.stdout.split()[::2]) == sorted(ids)
    assert f"{ids[0]} finished" in done.stdout
    assert f"{ids[1]} failed" in done.stdout
    assert "The template raised" in done.stderr
    assert "error: a job did not finish" in done.stderr


def test_without_an_id_all_jobs_are_watched_until_interrupted(service: Service) -> None:
    with subprocess.Popen(
        command("watch"),
        env=surroundings(service),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            assert "watching" in watching.stdout.readline()
            job = aiobpy(service, "submit", "--template", "ball", *SMALL).stdout.strip()
            seen = ""
            while f"{job} ball: 100 % finished" not in seen:
                seen += watching.stderr.readline()
        finally:
            watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    assert f"{job} ball: 0 % queued" in seen


def test_on_a_terminal_there_are_bars(service: Service) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("submit", "--template", "ball", *SMALL, "--wait"),
        env={**surroundings(service), "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:
                # The other end is closed.
                break
        assert process.wait(60) == 0
    os.close(ours)
    text = shown.decode()
    assert "█" in text
    assert "100 %" in text


def test_workers_are_a_table_or_json(service: Service) -> None:
    heading, worker = aiobpy(service, "workers").stdout.splitlines()
    columns = ["WORKER", "STATE", "POOL", "BLENDER", "DEVICE", "PID", "DONE", "JOB"]
    assert heading.split() == columns
    (told,) = json.loads(aiobpy(service, "workers", "--json").stdout)["workers"]
    assert worker.split()[0] == told["id"]
    assert str(told["pid"]) in worker


def test_what_is_no_job_is_told(service: Service) -> None:
    said = aiobpy(service, "watch", "0197a0b1-0000-7000-8000-000000000000", code=1).stderr
    assert "error: " in said
    assert "0197a0b1" in said
