"""The way into the dashboard, and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.dashboard.visitor import DESKTOP, PHONE, Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.fleet.service import Service


@pytest.fixture
def stranger(service: Service, chromium: Browser) -> Iterator[Visitor]:
    """Somebody who has not signed in."""
    visitor = Visitor(chromium, service, DESKTOP)
    yield visitor
    visitor.leave()


def test_a_link_signs_in_once_and_leaves_no_trace_in_the_address(stranger: Visitor) -> None:
    page, link = stranger.page, stranger.link()
    page.goto(link)
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    assert page.url == f"{stranger.address}/dashboard"
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    # Another code in the fragment alone opens no page.
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("The link has expired")


def test_the_token_signs_in_and_another_does_not(stranger: Visitor) -> None:
    page = stranger.page
    page.goto(stranger.address)
    field = page.get_by_label("Token of the server")
    field.fill("0123456789abcdef")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Wrong token")
    stranger.screenshot("sign-in")
    field.fill(stranger.service.token)
    field.press("Enter")
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    assert page.evaluate("document.cookie + JSON.stringify({...localStorage})") == "{}"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_sign_in(
    service: Service, chromium: Browser, size: dict[str, int], scheme: str
) -> None:
    visitor = Visitor(chromium, service, size, scheme)
    visitor.page.goto(f"{visitor.address}/dashboard")
    expect(visitor.page.get_by_label("Token of the server")).to_be_visible()
    assert visitor.barriers() == []
    assert visitor.overhang() == 0
    visitor.leave()
