"""A dashboard whose server comes and goes, and one that has nothing to show yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.dashboard.conftest import TEMPLATES
from tests.dashboard.visitor import DESKTOP, PHONE, Visitor
from tests.fleet.service import Service

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser


def test_who_looks_on_sees_what_others_submit(visitor: Visitor) -> None:
    page = visitor.page
    ended = page.get_by_role("region", name="Ended").get_by_role("listitem")
    before = ended.count()
    for colour in ["#112233", "#445566"]:
        visitor.service.submit("ball", {"colour": colour}, width=8, height=8, samples=1)
    expect(ended).to_have_count(before + 2)


def test_a_server_that_goes_and_comes_back(tmp_path: Path, chromium: Browser) -> None:
    first = Service(tmp_path, *TEMPLATES)
    visitor = Visitor(chromium, first, DESKTOP)
    visitor.sign_in()
    page = visitor.page
    expect(page.get_by_text("No job has been submitted yet.")).to_be_visible()
    visitor.screenshot("empty")
    job = first.submit("ball", {}, width=8, height=8, samples=1)
    first.story(job)
    expect(page.get_by_alt_text("Result of ball")).to_be_visible()
    assert first.end() == 0
    expect(page.get_by_text("The server does not answer. What you see")).to_be_visible()
    expect(page.get_by_text("Offline")).to_be_visible()
    visitor.screenshot("offline")

    again = Service(tmp_path, *TEMPLATES, "--port", first.port)
    # Sessions live in the server's memory.
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    page.get_by_label("Token of the server").fill(again.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_alt_text("Result of ball")).to_be_visible()
    visitor.leave()
    assert again.end() == 0


def test_a_stream_that_is_cut_goes_on_where_it_was(visitor: Visitor, chromium: Browser) -> None:
    watcher = Visitor(chromium, visitor.service, PHONE)
    watcher.sign_in()
    page = watcher.page
    ended = page.get_by_role("region", name="Ended").get_by_role("listitem")
    before = ended.count()
    page.context.set_offline(True)
    visitor.service.story(visitor.service.submit("ball", {}, width=8, height=8, samples=1))
    page.context.set_offline(False)
    expect(ended).to_have_count(before + 1)
    expect(page.get_by_text("Live")).to_be_visible()
    watcher.leave()
