"""Jobs from HTTP to a real Blender and back."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.fleet.service import SECONDS, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD_BLENDER = Path("/usr/bin/blender")
SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}
LONG: dict[str, Any] = {"width": 2048, "height": 2048, "samples": 2048}
"""Would take minutes."""


@pytest.fixture(scope="module")
def service(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"), "--templates", templates)
    yield service
    assert service.end() == 0, service.errors()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start servers that end with the test."""
    started: list[Service] = []

    def start(*arguments: object) -> Service:
        started.append(Service(tmp_path, *arguments))
        return started[-1]

    yield start
    for service in started:
        service.end()


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def wait_for_end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        ended, _, _ = select.select([process], [], [], SECONDS)
        os.close(process)
        assert ended, f"process {pid} is still there"


def test_a_client_that_waits_gets_the_picture_as_the_answer(service: Service) -> None:
    request = {"template": "ball", "params": {"colour": "#ff0000"}, "output": SMALL}
    answer = service.ask("POST", "/api/v1/jobs", request, Prefer="wait=30")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.size == (32, 24)
        red, green, blue = image.convert("RGB").getpixel((16, 12))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 20
    job = service.ask("GET", answer.headers["location"]).json
    assert (job["state"], job["attempt"], job["progress"]) == ("finished", 1, 1.0)
    result = service.ask("GET", f"{answer.headers['location']}/result")
    assert result.body == answer.body


def test_progress_arrives_while_blender_is_blocked_in_the_frame(service: Service) -> None:
    job = service.submit("ball", {"size": 2}, width=480, height=360, samples=64)
    progressed = service.until(job, "job.progressed")
    # The frame is not done, and the server answers.
    assert service.job(job)["state"] == "running"
    assert progressed["progress"] < 1
    story = service.story(job)
    assert kinds(story)[0] == "job.queued"
    assert kinds(story)[1] == "job.started"
    assert kinds(story)[-1] == "job.finished"
    fractions = [event["progress"] for event in story if event["type"] == "job.progressed"]
    assert fractions == sorted(fractions)
    assert len([fraction for fraction in fractions if 0 < fraction < 0.95]) >= 3, fractions


def test_a_worker_killed_within_a_job_is_replaced_and_the_job_ends_once(service: Service) -> None:
    job = service.submit("ball", {"size": 2}, width=480, height=360, samples=96)
    service.until(job, "job.progressed")
    (worker,) = service.workers()
    assert (worker["state"], worker["job"]) == ("busy", job["id"])
    os.kill(worker["pid"], signal.SIGKILL)

    story = service.story(job)
    assert kinds(story).count("job.finished") == 1
    (requeued,) = [event for event in story if event["type"] == "job.requeued"]
    assert "signal 9" in requeued["problem"]["detail"]
    ended = service.job(job)
    assert (ended["state"], ended["attempt"]) == ("finished", 2)
    (replacement,) = service.workers()
    assert replacement["pid"] != worker["pid"]
    assert service.ask("GET", f"/api/v1/jobs/{job['id']}/result").status == 200


def test_a_template_that_crashes_blender_fails_with_the_crash_text(service: Service) -> None:
    job = service.submit("ball", {"misbehave": "crash"}, **SMALL)
    story = service.story(job)
    # A second worker shows that it was the job's doing; there is no third.
    assert kinds(story).count("job.requeued") == 1
    problem = service.job(job)["problem"]
    assert problem["type"] == "poison-job"
    assert "segmentation fault" in problem["detail"]
    assert "Fatal Python error: Segmentation fault" in problem["crash_text"]
    assert "ball.py" in problem["crash_text"]


@pytest.mark.parametrize(
    ("template", "params", "kind"),
    [
        ("ball", {"misbehave": "raise"}, "template-raised"),
        ("ball", {"misbehave": "no camera"}, "render-failed"),
        ("missing", {}, "scene-missing"),
        ("corrupt", {}, "scene-unreadable"),
    ],
)
def test_what_is_wrong_with_a_job_leaves_the_worker_serving(
    service: Service, template: str, params: dict[str, Any], kind: str
) -> None:
    request = {"template": template, "params": params, "output": SMALL}
    answer = service.ask("POST", "/api/v1/jobs", request, Prefer="wait=60")
    assert answer.status == 500, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["type"] == kind
    job = service.submit("ball", {}, **SMALL)
    assert kinds(service.story(job))[-1] == "job.finished"
    assert service.job(job)["attempt"] == 1


@pytest.mark.parametrize(
    ("request_body", "kind", "pointer"),
    [
        ({"template": "bal"}, "unknown-template", "/template"),
        ({"template": "ball", "params": {"color": "#ffffff"}}, "invalid-request", "/params/color"),
        ({"template": "ball", "params": {"size": "big"}}, "invalid-request", "/params/size"),
        ({"template": "ball", "params": {"size": 3}}, "invalid-request", "/params/size"),
        ({"template": "ball", "params": {"colour": "red"}}, "invalid-request", "/params/colour"),
        ({"template": "ball", "output": {"width": 99999}}, "invalid-request", "/output/width"),
    ],
)
def test_a_request_that_does_not_fit_is_told_where(
    service: Service, request_body: dict[str, Any], kind: str, pointer: str
) -> None:
    answer = service.ask("POST", "/api/v1/jobs", request_body)
    assert answer.status == 422, answer.body
    assert answer.json["type"] == kind
    assert pointer in [error["pointer"] for error in answer.json["errors"]]


def test_a_broken_template_says_why(service: Service) -> None:
    answer = service.ask("POST", "/api/v1/jobs", {"template": "faulty"})
    assert answer.status == 500
    assert answer.json["type"] == "broken-template"
    assert "SyntaxError" in answer.json["detail"]


def test_a_job_that_runs_and_one_that_waits_can_be_cancelled(service: Service) -> None:
    running = service.submit("ball", {"size": 2}, **LONG)
    waiting = service.submit("ball", {}, **SMALL)
    service.until(running, "job.progressed")
    for job in (waiting, running):
        answer = service.ask("DELETE", f"/api/v1/jobs/{job['id']}")
        assert (answer.status, answer.json["state"]) == (200, "cancelled")
        assert kinds(service.story(job))[-1] == "job.cancelled"
    again = service.ask("DELETE", f"/api/v1/jobs/{running['id']}")
    assert (again.status, again.json["type"]) == (409, "job-ended")
    job = service.submit("ball", {}, **SMALL)
    assert kinds(service.story(job))[-1] == "job.finished"


@pytest.mark.skipif(not OLD_BLENDER.exists(), reason="Debian's Blender is not installed")
def test_a_blender_that_is_too_old_is_refused_and_the_server_goes_on(
    serve: Callable[..., Service], templates: Path
) -> None:
    service = serve("--templates", templates, "--blender", OLD_BLENDER)
    answer = service.ask("POST", "/api/v1/jobs", {"template": "ball"})
    assert answer.status == 503
    assert answer.json["type"] == "no-worker"
    assert "aiobpy needs 4.2 or newer" in answer.json["detail"]
    assert "--blender" in answer.json["hint"]
    (worker,) = service.workers()
    assert worker["problem"]["type"] == "unusable-blender"
    assert service.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_server_that_ends_leaves_its_jobs_to_the_next(
    serve: Callable[..., Service], templates: Path, how: signal.Signals
) -> None:
    first = serve("--templates", templates)
    job = first.submit("ball", {"size": 2}, width=480, height=360, samples=192)
    first.until(job, "job.progressed")
    (worker,) = first.workers()
    if how == signal.SIGKILL:
        first.process.kill()
    first.end()
    # A worker ends with its server, whatever that dies of.
    wait_for_end(worker["pid"])
    second = serve("--templates", templates)
    assert kinds(second.story(job))[-1] == "job.finished"
    assert second.job(job)["attempt"] == 2


def test_submit_shows_progress_and_writes_the_picture(service: Service, tmp_path: Path) -> None:
    out = tmp_path / "ball.png"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "aiobpy", "submit"),
            *("--url", service.url, "--template", "ball"),
            *("--param", "colour=#00ff00", "--param", "size=1.5", "--width", "64"),
            *("--height", "64", "--samples", "4", "--out", str(out)),
        ],
        env={**os.environ, "AIOBPY_TOKEN": service.token},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "100 %" in done.stderr
    with Image.open(out) as image:
        assert image.size == (64, 64)
        red, green, blue = image.convert("RGB").getpixel((32, 32))  # type: ignore[misc]
    assert green > 240
    assert max(red, blue) < 20
