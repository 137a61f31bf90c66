"""What the dashboard looks like, and whether everybody can use it: see `out/dashboard`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.dashboard.test_jobs import open_gate
from tests.dashboard.visitor import DESKTOP, PHONE, Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.fleet.service import Service

COLOURS = ["#e87d0d", "#3366cc", "#2a9d5c", "#c83c78", "#8a63d2", "#d1b03b", "#20a4a4", "#7a4b2a"]
SMALL = {"width": 160, "height": 120, "samples": 1}


@pytest.fixture(scope="module")
def busy_service(service: Service) -> Service:
    """One that has done something."""
    for number, colour in enumerate(COLOURS):
        params = {"colour": colour, "size": 0.6 + number / 8}
        service.story(service.submit("ball", params, **SMALL))
    service.story(service.submit("ball", {"misbehave": "raise"}, **SMALL))
    return service


@pytest.fixture
def at_work(busy_service: Service, gate: Path) -> Iterator[str]:
    """One that is at a job while others wait; the id of that job."""
    job = busy_service.submit("ball", {"gate": str(gate), "colour": "#e87d0d"}, **SMALL)
    waiting = [
        busy_service.submit("ball", {"colour": colour, "size": 1.2}, **SMALL)
        for colour in COLOURS[:3]
    ]
    yield str(job["id"])
    open_gate(gate)
    for one in [job, *waiting]:
        busy_service.story(one)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_every_page_fits_its_window_and_can_be_used_by_everybody(
    busy_service: Service,
    chromium: Browser,
    at_work: str,
    device: str,
    size: dict[str, int],
    scheme: str,
) -> None:
    visitor = Visitor(chromium, busy_service, size, scheme)
    visitor.sign_in()
    page = visitor.page
    expect(page.get_by_role("region", name="Waiting").get_by_role("listitem")).to_have_count(3)
    failed = page.get_by_role("listitem").filter(has_text="Failed").get_by_role("link")
    paths = {
        "overview": "",
        "job": f"/jobs/{at_work}",
        "failed": (failed.first.get_attribute("href") or "").removeprefix("/dashboard"),
        "form": "/new/ball",
    }
    for name, path in paths.items():
        visitor.open(path)
        expect(page.locator(".skeleton")).to_have_count(0)
        # A phone shows fewer of those that have ended, and what is not shown is not fetched.
        for image in page.locator("img").locator("visible=true").all():
            image.scroll_into_view_if_needed()
            expect(image).to_have_js_property("complete", True)
        page.evaluate("scrollTo(0, 0)")
        if name != "overview":
            page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        visitor.screenshot(f"{name}-{device}-{scheme}", is_whole=name != "overview")
        assert visitor.barriers() == [], name
        assert visitor.overhang() == 0, name
    visitor.leave()
