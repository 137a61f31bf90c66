"""The extension in real Blenders with windows: install, switch on, ask, look, switch off, leave."""

from __future__ import annotations

import json
import stat
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse

    from tests.blender.gui_blender import GuiBlender, Installation

    Start = Callable[[], GuiBlender]

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_person_installs_it_serves_and_leaves_nothing_behind(
    installation: Installation, extension_zip: Path, start: Start
) -> None:
    install(installation, extension_zip)
    blender = start()
    threads_before, things_before = blender.thread_names(), blender.open_things()

    assert blender.ask("enable") == ["FINISHED"]
    assert blender.ask("loop_is_alive") == 42
    assert blender.listening_ports() == [], "nothing listens until it is asked to"
    switch_on_by_hand(installation, blender)

    discovery = discovery_of(installation)
    status = get_status(discovery)
    assert status["main_thread"]["blender_version"] == installation.version()
    assert status["pid"] == blender.pid
    assert [int(discovery["address"].rpartition(":")[2])] == blender.listening_ports()
    follower = follow_events(discovery)
    place = {"address": discovery["address"], "token": discovery["token"]}
    assert blender.ask("fetched_version", **place) == installation.version()
    assert "aiobpy-transfer" in blender.thread_names()
    blender.ask("redrawn")
    installation.display.screenshot(ROOT / "out" / f"extension-{installation.tree.name}.png")
    assert blender.ask("clipboard_after", operator="address_copy") == discovery["address"]
    assert blender.ask("clipboard_after", operator="token_copy") == discovery["token"]

    assert blender.ask("disable") == ["FINISHED"]
    assert blender.ask("leftovers") == []
    assert ours(blender.thread_names()) == []
    assert ours(threads_before) == []
    assert blender.listening_ports() == []
    assert blender.open_things() == things_before
    assert discovery_files(installation) == []
    with follower:
        # Ends because the server ended the answer; a server that just forgot us would time out.
        assert follower.read().startswith(b"retry:")
    blender.ask("quit_blender")
    assert blender.wait() == 0, blender.said()
    assert "Traceback" not in blender.said()


def test_quitting_with_the_server_on_ends_cleanly(
    installation: Installation, extension_zip: Path, start: Start
) -> None:
    install(installation, extension_zip, "--enable")
    blender = start()
    assert blender.ask("loop_is_alive") == 42
    switch_on_by_hand(installation, blender)
    assert get_status(discovery_of(installation))["pid"] == blender.pid

    blender.ask("quit_blender")

    assert blender.wait() == 0, blender.said()
    assert "Traceback" not in blender.said()
    assert discovery_files(installation) == []


def test_an_update_ends_what_runs_and_all_works_again(
    installation: Installation, extension_zip: Path, start: Start
) -> None:
    install(installation, extension_zip, "--enable")
    blender = start()
    assert blender.ask("loop_is_alive") == 42
    zip_inside = str(installation.bring(extension_zip))
    for _ in range(2):
        assert blender.ask("update", package=zip_inside) == ["FINISHED", True]
        assert blender.ask("loop_is_alive") == 42
        assert len(ours(blender.thread_names())) <= 1
    blender.ask("quit_blender")
    assert blender.wait() == 0, blender.said()
    assert "Traceback" not in blender.said()


def test_methods_of_an_add_on_answer_over_http_also_after_a_file_load(
    installation: Installation, extension_zip: Path, start: Start
) -> None:
    install(installation, extension_zip, "--enable")
    blender = start()
    blender.ask("offer_methods")
    switch_on_by_hand(installation, blender)
    discovery = discovery_of(installation)
    assert call(discovery, "tests.move_cube", x=1.5) == [1.5, 0.0, 0.0]
    assert call(discovery, "tests.file_name") == ""

    file = str(installation.inside(installation.home / "saved.blend"))
    assert blender.ask("load_a_file", path=file) == file

    assert call(discovery, "tests.file_name") == file
    assert call(discovery, "tests.move_cube", x=2.5) == [2.5, 0.0, 0.0]
    blender.ask("quit_blender")
    assert blender.wait() == 0, blender.said()


def test_blender_itself_accepts_the_zip(installation: Installation, extension_zip: Path) -> None:
    zip_inside = installation.bring(extension_zip)
    installation.run("--command", "extension", "validate", str(zip_inside))


def install(installation: Installation, extension_zip: Path, *options: str) -> None:
    """Install the extension as `Install from Disk` does."""
    zip_inside = installation.bring(extension_zip)
    installation.run(
        *("--command", "extension", "install-file", "-r", "user_default"),
        *options,
        str(zip_inside),
    )


def switch_on_by_hand(installation: Installation, blender: GuiBlender) -> None:
    """Open the sidebar's tab and click the server's switch.

    Blender does not tell where its buttons are. Below the switch there is nothing that a click
    changes, so the pointer climbs from the bottom and clicks until the server is on.
    """
    sidebar = blender.ask("open_sidebar")
    display = installation.display
    x = sidebar["x"] + sidebar["width"] // 3
    bottom = display.HEIGHT - sidebar["y"]
    for y in range(bottom - 10, bottom - sidebar["height"], -14):
        display.click(x, y)
        if blender.ask("server_is_on"):
            # Off the switch, so that its tooltip does not hide the panel.
            display.move(x - 400, y)
            return
    display.screenshot(ROOT / "out" / f"no-switch-{installation.tree.name}.png")
    raise AssertionError("no click found the server's switch; see the screenshot in out/")


def discovery_files(installation: Installation) -> list[Path]:
    """Return the files in which this Blender tells programs of its user where its server is."""
    folder = installation.home / ".config/aiobpy"
    return [file for file in folder.glob("**/*.json") if "token" in file.read_text()]


def discovery_of(installation: Installation) -> Any:
    """Read the discovery file, which only its user may read."""
    (file,) = discovery_files(installation)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return json.loads(file.read_text())


def get_status(discovery: Any) -> Any:
    """Ask the server for its status, from outside."""
    with get(discovery, "/api/v1/status") as response:
        assert response.status == 200
        return json.load(response)


def follow_events(discovery: Any) -> HTTPResponse:
    """Stay connected, as a dashboard does."""
    response = get(discovery, "/api/v1/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    return response


def call(discovery: Any, method: str, **params: Any) -> Any:
    """Call a method that an add-on offers."""
    with get(discovery, f"/api/v1/rpc/{method}", json.dumps(params).encode()) as response:
        return json.load(response)


def get(discovery: Any, path: str, body: bytes | None = None) -> HTTPResponse:
    """Send a request with the token, and with a body if there is one."""
    request = urllib.request.Request(
        f"{discovery['address']}{path}",
        data=body,
        headers={
            "Authorization": f"Bearer {discovery['token']}",
            "Content-Type": "application/json",
        },
    )
    response: HTTPResponse = urllib.request.urlopen(request, timeout=30)
    return response


def ours(thread_names: list[str]) -> list[str]:
    """Return the threads that aiobpy started."""
    return [name for name in thread_names if name.startswith("aiobpy")]
