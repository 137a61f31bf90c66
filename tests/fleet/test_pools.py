"""`aiobpy serve` with workers of several kinds, and with templates that are always there."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet.service import SECONDS, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
OLDER_PYTHON = HERE.parents[1] / ".venv-4.5/bin/python"
SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a server that ends with the test."""
    started: list[Service] = []

    def start(*arguments: object) -> Service:
        started.append(Service(tmp_path, *arguments))
        return started[-1]

    yield start
    for service in started:
        assert service.end() == 0, service.errors()


def send_file(service: Service, data: bytes) -> str:
    """Send a file for jobs; return its name."""
    with closing(http.client.HTTPConnection(service.host, service.port, timeout=SECONDS)) as to:
        headers = {"Authorization": f"Bearer {service.token}"}
        to.request("POST", "/api/v1/inputs", data, headers)
        with to.getresponse() as response:
            answer = json.loads(response.read())
            assert response.status == 201, answer
    name: str = answer["name"]
    return name


@pytest.mark.skipif(not OLDER_PYTHON.exists(), reason="`cargo xtask setup` makes .venv-4.5")
def test_a_job_is_done_by_the_blender_of_its_pool(
    serve: Callable[..., Service], templates: Path
) -> None:
    pool = f"name=older,python={OLDER_PYTHON}"
    service = serve("--templates", templates, "--workers", 1, "--pool", pool)
    done_by = {}
    for asked in ({"pool": "older"}, {}):
        request = {"template": "ball", "output": SMALL, **asked}
        answer = service.ask("POST", "/api/v1/jobs", request, Prefer="wait=60")
        assert answer.status == 200, answer.body
        job = service.ask("GET", answer.headers["location"]).json
        done_by[job["worker"]] = asked.get("pool")
    versions = {done_by[one["id"]]: one["blender_version"] for one in service.workers()}
    assert versions["older"].startswith("4.5.")
    assert versions[None].startswith("5.")
    answer = service.ask("POST", "/api/v1/jobs", {"template": "ball", "pool": "newer"})
    assert (answer.status, answer.json["type"]) == (422, "unknown-pool")


def test_any_scene_that_was_sent_is_catalogued(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    scene = tmp_path / "studio.blend"
    script = [sys.executable, str(HERE / "studio.py"), "build", str(scene)]
    subprocess.run(script, check=True, timeout=SECONDS)
    service = serve()
    name = send_file(service, scene.read_bytes())
    request = {"template": "builtin/catalogue", "params": {"scene": name}}
    answer = service.ask("POST", "/api/v1/jobs", request, Prefer="wait=60")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer
    assert answer.json["counts"]["cameras"] == 2
    missing = {"template": "builtin/catalogue", "params": {"scene": "input:" + "0" * 64}}
    answer = service.ask("POST", "/api/v1/jobs", missing)
    assert (answer.status, answer.json["type"]) == (422, "unknown-input")
