"""A worker with the real `bpy`, and what it says to its supervisor."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import aiobpy
from tests.fleet.supervisor import SECONDS, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

OLD_BLENDER = Path("/usr/bin/blender")
SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}


def middle(path: Path) -> tuple[int, ...]:
    with Image.open(path) as image:
        pixel = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return pixel


def shade(pixel: tuple[int, ...]) -> str:
    """Each channel on or off: Blender dithers, JPEG and WebP round."""
    assert all(channel < 20 or channel > 235 for channel in pixel), pixel
    return "".join(str(int(channel > 235)) for channel in pixel)


def test_a_worker_describes_its_templates(worker: Supervisor) -> None:
    described = {template["name"]: template for template in worker.greeting["templates"]}
    assert set(described) == {"ball", "missing", "corrupt", "faulty"}
    ball = described["ball"]
    assert ball["description"] == "A ball that glows."
    assert ball["params_schema"]["properties"]["size"] == {
        "type": "number",
        "minimum": 0.1,
        "maximum": 2.0,
        "default": 1.0,
        "description": "Its radius in metres.",
    }
    assert "SyntaxError" in described["faulty"]["broken"]


@pytest.mark.parametrize(("name", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_a_picture_has_the_size_and_the_format_that_were_asked_for(
    worker: Supervisor, name: str, kind: str
) -> None:
    path = worker.render("ball", {"colour": "#ff0000"}, width=40, height=20, samples=1, format=name)
    with Image.open(path) as image:
        assert (image.format, image.size) == (kind, (40, 20))
    assert shade(middle(path)) == "100"


def test_parameters_change_the_picture_while_the_scene_stays_open(worker: Supervisor) -> None:
    assert shade(middle(worker.render("ball", {"colour": "#00ff00"}, **SMALL))) == "010"
    assert shade(middle(worker.render("ball", {"colour": "#0000ff"}, **SMALL))) == "001"
    assert shade(middle(worker.render("ball", {}, **SMALL))) == "111"


def test_no_setting_leaks_into_the_next_job(worker: Supervisor) -> None:
    first = worker.render("ball", {}, **SMALL)
    worker.render("ball", {"misbehave": "big picture"}, format="jpeg")
    worker.render("ball", {}, width=16, height=48, samples=3, format="webp")
    again = worker.render("ball", {}, **SMALL)
    with Image.open(first) as image, Image.open(again) as other:
        assert image.tobytes() == other.tobytes()
        assert image.mode == other.mode


def test_a_warm_picture_is_the_cold_one(
    supervise: Callable[..., Supervisor], worker: Supervisor, templates: Path
) -> None:
    wanted = {"colour": "#2080c0", "size": 0.7}
    worker.render("ball", {"colour": "#ff0000", "size": 2}, **SMALL)
    worker.fail("ball", {"misbehave": "raise", "size": 0.1})
    worker.render("ball", {"misbehave": "big picture"})
    warm = worker.render("ball", wanted, **SMALL)
    cold = supervise(templates / "ball.py").render("ball", wanted, **SMALL)
    with Image.open(warm) as image, Image.open(cold) as other:
        assert image.tobytes() == other.tobytes()


def test_what_a_job_leaves_out_the_template_decides(worker: Supervisor) -> None:
    path = worker.render("ball", {"misbehave": "big picture"})
    with Image.open(path) as image:
        assert image.size == (20, 20)
    path = worker.render("ball", {"misbehave": "big picture"}, width=10)
    with Image.open(path) as image:
        assert image.size == (10, 20)


def test_a_picture_does_not_tell_where_it_was_made(worker: Supervisor, templates: Path) -> None:
    data = worker.render("ball", {}, **SMALL, format="jpeg").read_bytes()
    assert b"JFIF" in data
    assert str(templates).encode() not in data
    assert b"Date" not in data


def test_progress_comes_from_within_the_frame(worker: Supervisor) -> None:
    worker.render("ball", {"size": 2}, width=400, height=300, samples=64)
    within = [fraction for fraction in worker.progress if 0 < fraction < 0.95]
    assert len(within) >= 3, worker.progress
    assert worker.progress == sorted(worker.progress)
    assert any("Sample" in message for message in worker.messages), worker.messages
    assert not any("Mem:" in message for message in worker.messages)


def test_a_worker_whose_python_is_blocked_says_that_it_is_alive(
    worker: Supervisor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    worker.begin("ball", {"gate": str(gate)}, **SMALL)
    with gate.open("wb", buffering=0) as opened:
        # The template holds the interpreter's lock until a byte comes.
        assert worker.hear("alive", "failed")["type"] == "alive"
        assert worker.hear("alive", "failed")["type"] == "alive"
        opened.write(b".")
    assert worker.hear("finished", "failed")["type"] == "finished"


def test_a_template_that_raises_fails_with_its_traceback(worker: Supervisor) -> None:
    problem = worker.fail("ball", {"misbehave": "raise"})
    assert problem["type"] == "template-raised"
    assert problem["detail"].startswith("the template 'ball' raised KeyError: ")
    assert 'del bpy.data.objects["no such ball"]["anything"]' in problem["crash_text"]
    assert worker.render("ball", {}, **SMALL).exists()


def test_a_template_that_exits_does_not_take_the_worker_along(worker: Supervisor) -> None:
    assert worker.fail("ball", {"misbehave": "exit"})["type"] == "template-raised"
    assert worker.render("ball", {}, **SMALL).exists()


def test_a_scene_without_a_camera_fails_in_blenders_words(worker: Supervisor) -> None:
    problem = worker.fail("ball", {"misbehave": "no camera"})
    assert problem["type"] == "render-failed"
    assert "camera" in problem["detail"].lower()


def test_a_scene_that_does_not_exist_is_named(worker: Supervisor, templates: Path) -> None:
    problem = worker.fail("missing")
    assert problem["type"] == "scene-missing"
    assert problem["detail"] == f"there is no file {templates / 'nowhere.blend'}"


def test_a_scene_that_is_corrupt_is_named_and_the_worker_goes_on(
    worker: Supervisor, templates: Path
) -> None:
    problem = worker.fail("corrupt")
    assert problem["type"] == "scene-unreadable"
    assert str(templates / "corrupt.blend") in problem["detail"]
    assert worker.render("ball", {}, **SMALL).exists()


def test_a_worker_that_crashes_leaves_its_last_words(
    supervise: Callable[..., Supervisor], templates: Path
) -> None:
    supervisor = supervise(templates / "ball.py")
    supervisor.begin("ball", {"misbehave": "crash"})
    assert supervisor.process.wait(SECONDS) == -signal.SIGSEGV
    printed = supervisor.printed.read_text()
    assert "Fatal Python error: Segmentation fault" in printed
    assert "in ball" in printed


def test_a_worker_ends_with_its_supervisor_even_within_a_frame(
    supervise: Callable[..., Supervisor], templates: Path
) -> None:
    supervisor = supervise(templates / "ball.py")
    supervisor.begin("ball", {"size": 2}, width=4096, height=4096, samples=65536)
    supervisor.hear("progressed")
    supervisor.hang_up()
    assert supervisor.process.wait(SECONDS) == -signal.SIGKILL


def test_a_worker_that_is_told_to_stop_ends_well(
    supervise: Callable[..., Supervisor], templates: Path
) -> None:
    supervisor = supervise(templates / "ball.py")
    supervisor.render("ball", {}, **SMALL)
    supervisor.send(type="stop")
    assert supervisor.process.wait(SECONDS) == 0


@pytest.mark.skipif(not OLD_BLENDER.exists(), reason="Debian's Blender is not installed")
def test_a_blender_that_is_too_old_is_refused(
    supervise: Callable[..., Supervisor], templates: Path
) -> None:
    worker = Path(aiobpy.__file__).parent / "worker" / "__main__.py"
    blender = [str(OLD_BLENDER), "--background", "--factory-startup", "--disable-autoexec"]
    supervisor = supervise(templates, command=[*blender, "--python", str(worker)])
    assert supervisor.greeting["type"] == "unusable"
    problem = supervisor.greeting["problem"]
    assert problem["type"] == "unusable-blender"
    assert problem["detail"].endswith("; aiobpy needs 4.2 or newer")
    assert "--blender" in problem["hint"]
