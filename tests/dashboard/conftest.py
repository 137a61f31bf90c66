"""A server with a worker, and a Chromium that looks at it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.dashboard.visitor import DESKTOP, Visitor
from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

HERE = Path(__file__).parent
OURS = ["film", "poster", "wishes"]
FILES = [HERE.parent / "fleet" / "ball.py", *(HERE / f"{name}.py" for name in OURS)]
TEMPLATES = [argument for file in FILES for argument in ("--templates", file)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker with two templates, for many tests: a Blender takes a second to start."""
    started = Service(tmp_path_factory.mktemp("service"), *TEMPLATES)
    page = started.ask("GET", "/dashboard").body
    assert b"not in this build" not in page, "`cargo xtask web`, and then build the module again"
    yield started
    started.end()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window.

    A new one for each test: as long as it is there, Playwright's event loop runs in this thread,
    and no test that has one of its own could run in between.
    """
    program = shutil.which("chromium")
    assert program, "Chromium is missing; `cargo xtask setup` installs it"
    # A worker that was cancelled makes room for another Blender first.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        # Root has no other way, and nothing but our own pages is loaded.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visitor(service: Service, chromium: Browser) -> Iterator[Visitor]:
    """Somebody at a desk who has signed in."""
    visitor = Visitor(chromium, service, DESKTOP)
    visitor.sign_in()
    yield visitor
    visitor.leave()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe: a job that has its name goes on when a byte is written to it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path
