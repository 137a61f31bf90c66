"""7. A page of another site includes an answer as a script or an image, and reads what it does.

Mirrors CVE-2025-30359 (webpack-dev-server), CVE-2023-40170 (jupyter-server) and esbuild's
GHSA-67mh-4wv8-2f99 (`Access-Control-Allow-Origin: *`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.attacks.conftest import Attack, Target


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/status", "/a/attacked/", "/nothing"])
def test_an_answer_says_what_it_is_and_whose(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        headers = (await target.ask(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]

    attack(main)


@pytest.mark.parametrize("destination", ["script", "image", "style", "iframe", "object"])
def test_what_another_site_includes_is_refused(attack: Attack, destination: str) -> None:
    async def main(target: Target) -> None:
        headers = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Dest": destination,
            "Referer": "http://evil.example/",
        }
        assert (await target.ask(headers=headers)).status == 403

    attack(main)
