"""The commands of the guide to the fleet's API, as somebody types them."""

from __future__ import annotations

import os
import subprocess
import zipfile
from typing import TYPE_CHECKING

from tests.fleet.service import SECONDS
from tests.libraries import guides

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fleet.service import Service


def test_the_commands_of_the_guide_do_what_it_says(
    draw: Callable[..., Service], tmp_path: Path
) -> None:
    mode = tmp_path / "mode"
    mode.write_text("cached")
    service = draw("--workers", "2", "--templates", mode, cache=True)
    done = subprocess.run(
        ["bash", "-euc", "set -o pipefail\n" + guides.code("fleet_api", "sh")],
        cwd=tmp_path,
        env={**os.environ, "TOKEN": service.token, "SERVER": service.url},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "mug.png").read_bytes() == b"a mug"
    assert (tmp_path / "again.png").read_bytes() == b"a mug"
    assert "cache-status: aiobpy; hit" in done.stdout
    assert (tmp_path / "lamp.png").read_bytes() == b"a lamp"
    assert (tmp_path / "label.out").read_bytes() == b"a label"
    with zipfile.ZipFile(tmp_path / "batch.zip") as archive:
        assert len(archive.namelist()) == 24
    assert "'finished': 24" in done.stdout
    assert done.stdout.endswith("True\nwhsec_\n")


def test_the_tenants_of_the_guide_are_tenants(draw: Callable[..., Service], tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(guides.code("fleet_api", "toml").replace("…", "0" * 64))
    assert draw("--tenants", tenants).ask("GET", "/api/v1/jobs").status == 200


def test_each_template_is_an_operation_with_its_parameters(draw: Callable[..., Service]) -> None:
    service = draw()
    service.story(service.submit("drawing", {}))
    paths = service.ask("GET", "/openapi.json").json["paths"]
    body = paths["/api/v1/templates/drawing/jobs"]["post"]["requestBody"]
    assert "text" in body["content"]["application/json"]["schema"]["properties"]
    made = service.ask(
        "POST", "/api/v1/templates/drawing/jobs?width=64", {"text": "a mug"}, Prefer="wait=30"
    )
    assert (made.status, made.body) == (200, b"a mug")
    assert made.headers["content-disposition"].startswith('inline; filename="drawing-')
    job = service.ask("GET", made.headers["location"]).json
    assert job["output"]["width"] == 64
    wrong = service.ask("POST", "/api/v1/templates/drawing/jobs", {"colour": "red"})
    assert wrong.json["errors"][0]["pointer"] == "/params/colour"
