"""8. A path that leads out of the folder that is served.

Mirrors CVE-2024-23334 (aiohttp followed links), CVE-2024-23331 and CVE-2025-30208 (Vite's guard was
passed by with another spelling), CVE-2024-35178 (jupyter-server on Windows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiobpy import web

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.conftest import Attack, Target

_SECRET = b"secret that lies outside"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Serve a folder that has a link to its neighbour and a secret of its own; return it."""
    folder = tmp_path / "served"
    folder.mkdir()
    (tmp_path / "outside.txt").write_bytes(_SECRET)
    (tmp_path / "served-too").mkdir()
    (tmp_path / "served-too" / "outside.txt").write_bytes(_SECRET)
    (folder / "page.html").write_text("page")
    (folder / ".env").write_bytes(_SECRET)
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "up").symlink_to(tmp_path)
    web.site("served").static("/", folder)
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "%2e%2e/outside.txt",
        "%2e%2e%2foutside.txt",
        "..%2foutside.txt",
        "..%5coutside.txt",
        "..\\outside.txt",
        "%252e%252e%252foutside.txt",
        "x/../../outside.txt",
        "./../outside.txt",
        ".../../outside.txt",
        "%c0%ae%c0%ae/outside.txt",
        "../served-too/outside.txt",
        "..;/outside.txt",
        "/../outside.txt",
        "//outside.txt",
        "link.txt",
        "up/outside.txt",
        ".env",
        "%2eenv",
        ".env%00.html",
        "page.html%00/../../outside.txt",
        "page.html/../.env",
        ".env?raw??",
        ".env?import&raw",
        ".env::$DATA",
        "file:///outside.txt",
        "C:/outside.txt",
        "%5c%5chost%5cshare%5coutside.txt",
    ],
)
def test_nothing_outside_the_folder_is_served(attack: Attack, served: Path, path: str) -> None:
    async def main(target: Target) -> None:
        answer = await target.ask(f"/a/served/{path}")
        assert _SECRET not in answer.body
        assert answer.status in range(400, 500)
        assert str(served).encode() not in answer.body

    attack(main)


@pytest.mark.usefixtures("served")
def test_absolute_paths_lead_nowhere(attack: Attack, tmp_path: Path) -> None:
    async def main(target: Target) -> None:
        for path in [f"/a/served/{tmp_path}/outside.txt", f"/a/served{tmp_path}/outside.txt"]:
            assert _SECRET not in (await target.ask(path)).body
        assert (await target.ask("/a/served/page.html")).body == b"page"

    attack(main)


@pytest.mark.usefixtures("served")
def test_no_folder_lists_what_is_in_it(attack: Attack) -> None:
    async def main(target: Target) -> None:
        for path in ["/a/served", "/a/served/"]:
            answer = await target.ask(path)
            assert answer.status in {308, 404}
            assert b"page.html" not in answer.body

    attack(main)
