"""The guide's command does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.dashboard.visitor import DESKTOP, Visitor
from tests.libraries import guides

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.fleet.service import Service


def test_the_guides_command_prints_a_link_that_signs_in(
    service: Service, chromium: Browser
) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(service.config),
    }
    command = ["sh", "-ec", guides.code("dashboard", "sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    link, explained = done.stdout.splitlines()
    assert "within 10 minutes" in explained
    visitor = Visitor(chromium, service, DESKTOP)
    visitor.page.goto(link)
    expect(visitor.page.get_by_role("heading", name="Workers")).to_be_visible()
    visitor.leave()
