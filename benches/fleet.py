"""A running `aiobpy serve` with one warm Blender, and a client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benches.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONFIGURATOR = ROOT / "examples" / "product_configurator"
SCENE = CONFIGURATOR / "product.blend"
SECONDS_TO_START = 120.0


@dataclass
class Fleet:
    """Where it is, and how to ask it."""

    pid: int
    host: str
    port: int
    token: str

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection(self.host, self.port, timeout=120)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        on: http.client.HTTPConnection | None = None,
        prefer: str = "",
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request and return status, headers and body."""
        connection = on or self.connect()
        headers = {"Authorization": f"Bearer {self.token}"}
        if prefer:
            headers["Prefer"] = prefer
        if body is not None:
            headers["Content-Type"] = "application/json"
        text = None if body is None else json.dumps(body)
        connection.request(method, path, body=text, headers=headers)
        response = connection.getresponse()
        answer = response.read()
        if on is None:
            connection.close()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, answer

    def get(self, path: str) -> Any:
        """What the server says about something, as JSON."""
        status, _headers, body = self.ask("GET", path)
        if status != 200:
            msg = f"GET {path} was answered with {status}: {body.decode()}"
            raise RuntimeError(msg)
        return json.loads(body)

    def run(self, template: str, on: http.client.HTTPConnection, **params: object) -> float:
        """Have a job done; return the seconds from its request to its result."""
        job = {"template": template, "params": params}
        began = time.perf_counter()
        status, _, answer = self.ask("POST", "/api/v1/jobs", job, on=on, prefer="wait=60")
        if status != 200:
            msg = f"the job was answered with {status}: {answer.decode(errors='replace')[:500]}"
            raise RuntimeError(msg)
        return time.perf_counter() - began


@contextlib.contextmanager
def serving_the_product(*arguments: str) -> Iterator[Fleet]:
    """A fleet with the product's template, whose scene is built if it is not there."""
    if not SCENE.is_file():
        build_scene(SCENE, sys.executable)
    with serving([CONFIGURATOR / "product.py"], *arguments) as fleet:
        yield fleet


@contextlib.contextmanager
def serving(templates: Sequence[Path], *arguments: str) -> Iterator[Fleet]:
    """A fleet of one worker in a folder of its own; it is killed at the end, with what waits."""
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as folder:
        # Each job is to be done, however alike they are.
        command = [sys.executable, "-m", "aiobpy", "serve", "--no-cache"]
        command += ["--data", f"{folder}/data"]
        for template in templates:
            command += ["--templates", str(template)]
        environment = os.environ | {"AIOBPY_TOKEN": token, "XDG_CONFIG_HOME": folder}
        with subprocess.Popen(
            [*command, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                fleet = Fleet(process.pid, *address_of(process), token)
                wait_for_worker(fleet)
                yield fleet
            finally:
                process.kill()


def build_scene(scene: Path, python: str) -> None:
    """Build the product's scene with the Blender of a Python."""
    subprocess.run([python, CONFIGURATOR / "build_scene.py", scene], check=True)


def address_of(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Read where it listens from what it says."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://(127\.0\.0\.1):(\d+)", line):
            return found[1], int(found[2])
    msg = "`aiobpy serve` ended before it listened"
    raise RuntimeError(msg)


def wait_for_worker(fleet: Fleet) -> None:
    """Return when the worker is warm."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        workers = fleet.get("/api/v1/workers")
        listed = workers if isinstance(workers, list) else workers["workers"]
        if any(worker["state"] == "warm" for worker in listed):
            return
        time.sleep(0.1)
    msg = f"no worker was warm within {SECONDS_TO_START:.0f} s"
    raise RuntimeError(msg)
