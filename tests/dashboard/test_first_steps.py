"""A new user: from the built wheel to a product's picture in three commands, and the dashboard."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """Return the three commands of the README."""
    section = (ROOT / "README.md").read_text().partition("## Three commands to a picture")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    return block[1].splitlines()


def wheel() -> Path:
    """Return the wheel that was built last."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = sorted((target / "wheels").glob("aiobpy-*.whl"), key=lambda path: path.stat().st_mtime)
    if not built:
        pytest.fail("no wheel is built; `cargo xtask setup` builds one")
    return built[-1]


def fresh_environment(folder: Path) -> Path:
    """Make an environment with the wheel and, linked for its 350 MB, `bpy`; return its `bin`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel())], check=True)
    bpy = importlib.util.find_spec("bpy")
    if bpy is None or bpy.origin is None:
        pytest.fail("the bpy module is missing; `cargo xtask setup` installs it")
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "bpy.pth").write_text(f"{Path(bpy.origin).parents[1]}\n")
    return folder / "bin"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_three_commands_lead_to_a_picture_which_the_dashboard_shows(
    tmp_path: Path, chromium: Browser
) -> None:
    install, serve, submit = commands()
    assert install == "pip install aiobpy bpy"
    programs = fresh_environment(tmp_path / "environment")
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    server = subprocess.Popen(
        shlex.split(serve.removesuffix(" &")),
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        try:
            assert server.stdout is not None
            said = ""
            while not (link := re.search(r"dashboard, signed in once: (\S+)", said)):
                line = server.stdout.readline()
                assert line, f"it ended: {said}"
                said += line
            done = subprocess.run(
                shlex.split(submit, comments=False),
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            with Image.open(tmp_path / "cup.png") as picture:
                assert picture.size == (480, 480)
                red, green, blue = picture.convert("RGB").getpixel((225, 285))  # type: ignore[misc]
            assert red < green, "it has the colour that was asked for"
            assert red < blue
            look_at(chromium, link[1])
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0


def look_at(chromium: Browser, link: str) -> None:
    """Find the cup's picture in the dashboard."""
    page = chromium.new_page()
    page.goto(link)
    expect(page.get_by_text("Live")).to_be_visible()
    page.get_by_role("link", name="cup").first.click()
    picture = page.get_by_alt_text("Result of cup")
    expect(picture).to_be_visible()
    page.wait_for_function(
        "() => document.querySelector('img[alt=\"Result of cup\"]').naturalWidth == 480"
    )
    folder = ROOT / "out" / "dashboard"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "first-steps.png")
    page.close()
