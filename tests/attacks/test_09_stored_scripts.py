"""9. A name or a file that somebody else has chosen runs as a script in the user's browser.

Mirrors CVE-2024-27306 (aiohttp's listings) and jupyter-server's pages without a sandbox.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy import web
from aiobpy.rpc import remove

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.conftest import Attack, Target

_SCRIPT = "<img src=x onerror=alert(1)>"


def test_a_name_in_an_answer_is_json_and_stays_so(attack: Attack) -> None:
    @aiobpy.rpc(name="attacked.names")
    def names() -> list[str]:
        return [_SCRIPT]

    async def main(target: Target) -> None:
        answer = await target.ask(
            "/api/v1/rpc/attacked.names",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=b"{}",
        )
        assert json.loads(answer.body) == [_SCRIPT]
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"

    try:
        attack(main)
    finally:
        remove(names)


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/a/attacked2/%3Cscript%3E"])
def test_what_a_client_has_sent_comes_back_as_no_page(attack: Attack, path: str) -> None:
    async def main(target: Target) -> None:
        answer = await target.ask(path)
        assert answer.status in {400, 404}
        if answer.body:
            assert answer.headers["content-type"] == "application/problem+json"

    attack(main)


def test_a_picture_that_is_a_document_runs_no_script(attack: Attack, tmp_path: Path) -> None:
    picture = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    (tmp_path / "picture.svg").write_text(picture)
    web.site("pictures").static("/", tmp_path)

    async def main(target: Target) -> None:
        answer = await target.ask("/a/pictures/picture.svg")
        assert answer.status == 200
        assert answer.headers["content-type"] == "image/svg+xml"
        policy = answer.headers["content-security-policy"].split("; ")
        directives = dict(directive.split(" ", 1) for directive in policy)
        scripts = directives.get("script-src", directives["default-src"])
        assert scripts in {"'self'", "'none'"}
        assert directives.get("object-src", directives["default-src"]) == "'none'"

    attack(main)
