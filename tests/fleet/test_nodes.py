"""Nodes that share their jobs: real servers, real processes, a real Blender in each."""

from __future__ import annotations

import datetime as dt
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.fleet.service import SECONDS, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}
LONG: dict[str, Any] = {"width": 1024, "height": 1024, "samples": 1024}
"""Takes long enough to be killed in."""
LEASE = 3


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One NATS server; its address."""
    command = [sys.executable, "-m", "aiobpy", "engine", "start", "--nodes", "1", "--port", "0"]
    folder = tmp_path_factory.mktemp("engine")
    with subprocess.Popen(
        [*command, "--data", str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"serving (nats://\S+);", process.stdout.readline())
        assert found, "the engine says where it serves"
        yield found.group(1)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0


@pytest.fixture
def node(engine: str, templates: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start nodes of one fleet, which end with the test."""
    started: list[Service] = []

    def start(name: str, workers: int, *, cache: bool = False) -> Service:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        fleet = re.sub(r"\W", "_", tmp_path.name)
        arguments = ["--engine", engine, "--fleet", fleet, "--node", name]
        arguments += ["--lease", str(LEASE)]
        arguments += ["--workers", str(workers), "--templates", str(templates)]
        started.append(Service(folder, *arguments, cache=cache))
        return started[-1]

    yield start
    for service in started:
        service.end()


def submit(service: Service, **output: Any) -> dict[str, Any]:
    """Submit a job as soon as the node knows of one that can do it."""
    request = {"template": "ball", "params": {}, "output": output}
    deadline = time.monotonic() + SECONDS
    while True:
        answer = service.ask("POST", "/api/v1/jobs", request)
        if answer.status == 202:
            job: dict[str, Any] = answer.json
            return job
        assert answer.status in {422, 503}, answer.body
        assert time.monotonic() < deadline, answer.body


def test_a_job_of_one_node_is_rendered_by_another_and_fetched_from_either(
    node: Callable[..., Service],
) -> None:
    here, there = node("here", 0), node("there", 1)
    job = submit(here, **SMALL)
    story = here.story(job)
    assert [event["type"] for event in story if event["type"] != "job.progressed"] == [
        "job.queued",
        "job.started",
        "job.finished",
    ]
    assert here.job(job)["worker"] == "there/worker-1"
    assert [worker["id"] for worker in here.workers()] == ["there/worker-1"]
    pictures = [service.ask("GET", f"/api/v1/jobs/{job['id']}/result") for service in (here, there)]
    assert pictures[0].body == pictures[1].body
    assert pictures[0].status == 200, pictures[0].body
    fetched = Path(here.config) / "fetched.png"
    fetched.write_bytes(pictures[0].body)
    with Image.open(fetched) as image:
        assert image.size == (32, 24)
    assert there.story(job) == story


def test_a_job_of_a_node_that_dies_runs_elsewhere_within_its_lease(
    node: Callable[..., Service],
) -> None:
    here, first, second = node("here", 0), node("first", 1), node("second", 1)
    job = submit(here, **LONG)
    started = here.until(job, "job.started")
    victims = {"first": first, "second": second}
    victim = victims.pop(started["worker"].partition("/")[0])
    (survivor,) = victims
    warm = {"warm", "busy"}
    while not any(
        worker["id"].startswith(f"{survivor}/") and worker["state"] in warm
        for worker in here.workers()
    ):
        here.ask("GET", "/healthz")
    killed = dt.datetime.now(dt.UTC)
    victim.process.kill()
    again = next(
        event
        for event in here.events(f"/api/v1/jobs/{job['id']}/events")
        if event["type"] == "job.started" and event["attempt"] == 2
    )
    assert again["worker"].startswith(f"{survivor}/")
    waited = dt.datetime.fromisoformat(again["at"]) - killed
    assert waited.total_seconds() < LEASE + 2
    assert here.job(job)["problem"]["type"] == "node-lost"
    assert here.ask("DELETE", f"/api/v1/jobs/{job['id']}").status == 200
    assert victims[survivor].story(job)[-1]["type"] == "job.cancelled"


def test_a_node_that_starts_again_takes_back_its_jobs(node: Callable[..., Service]) -> None:
    here = node("here", 1)
    job = submit(here, **LONG)
    here.until(job, "job.started")
    here.process.kill()
    here.process.wait(SECONDS)
    (here.config / "aiobpy" / "servers").joinpath(
        next((here.config / "aiobpy" / "servers").glob("*.json")).name
    ).unlink()
    again = node("here", 1)
    requeued = again.until(job, "job.requeued")
    assert requeued["problem"]["type"] == "server-stopped"
    assert again.ask("DELETE", f"/api/v1/jobs/{job['id']}").status == 200


def test_servers_that_are_not_there_are_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aiobpy", "serve", "--engine", "nats://127.0.0.1:1"]
    run = subprocess.run(
        [*command, "--workers", "0", "--data", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "no NATS server answers at 127.0.0.1:1" in run.stderr
    assert "hint: is it running" in run.stderr


def test_what_one_node_has_rendered_answers_at_every_node(node: Callable[..., Service]) -> None:
    here, there = node("here", 0, cache=True), node("there", 1, cache=True)
    first = submit(here, **SMALL)
    here.story(first)
    # A node with workers knows what its templates are made of; for another, they say so.
    again = submit(there, **SMALL)
    assert (again["state"], again["cached_from"]) == ("finished", first["id"])
    by_another = submit(here, **SMALL)
    kinds = [event["type"] for event in here.story(by_another)]
    assert kinds == ["job.queued", "job.started", "job.finished"]
    assert here.job(by_another)["cached_from"] == first["id"]
    assert [worker["jobs_done"] for worker in there.workers()] == [1]
    path = f"/api/v1/jobs/{again['id']}/result"
    assert here.ask("GET", path).body == there.ask("GET", path).body
