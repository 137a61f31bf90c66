"""Somebody who looks at the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

    from tests.fleet.service import Service

ROOT: Final = Path(__file__).parents[2]
SCREENSHOTS: Final = ROOT / "out" / "dashboard"
AXE: Final = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}


class Visitor:
    """A browser's window, and what it must never see.

    Args:
        browser: Where to open it.
        service: What it looks at.
        size: Of the window, in pixels.
        scheme: `light` or `dark`, as its user wants pages to be.
    """

    def __init__(
        self, browser: Browser, service: Service, size: dict[str, int], scheme: str = "light"
    ) -> None:
        self.service = service
        self.address = service.url
        self.complaints: list[str] = []
        self._context = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            has_touch=size is PHONE,
            device_scale_factor=2 if size is PHONE else 1,
        )
        self.page: Page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look_at)
        self.page.on("console", lambda said: self._hear(said.text))

    def link(self) -> str:
        """Have a link made that signs in."""
        answer = self.service.ask("POST", "/api/v1/sign-in-links", {})
        assert answer.status == 201, answer.body
        return str(answer.json["address"])

    def sign_in(self) -> None:
        """Open such a link."""
        self.page.goto(self.link())
        expect(self.page.get_by_text("Live")).to_be_visible()

    def open(self, path: str) -> Page:
        """Open a page of the dashboard, as by a bookmark."""
        self.page.goto(f"{self.address}/dashboard{path}")
        expect(self.page.get_by_text("Live")).to_be_visible()
        return self.page

    def screenshot(self, name: str, *, is_whole: bool = False) -> None:
        """Keep what is seen."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=is_whole)

    def barriers(self) -> list[str]:
        """Return what keeps somebody from using what is seen, as axe-core finds it."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        return [
            f"{violation['id']}: {node['html']} ({node.get('failureSummary', '')})"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def overhang(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wider: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wider

    def leave(self) -> None:
        """Close the window; fails if the page had a fault, or asked somebody else for something."""
        self._context.close()
        assert self.complaints == []

    def _look_at(self, request: Request) -> None:
        address = urlsplit(request.url)
        is_ours = f"{address.scheme}://{address.netloc}" == self.address
        if not is_ours and address.scheme != "blob":
            self.complaints.append(f"asked {request.url}")

    def _hear(self, said: str) -> None:
        if "Content Security Policy" in said or "Trusted" in said:
            self.complaints.append(said)
