"""How the dashboard's files are sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fleet.service import Service


def test_the_page_loads_nothing_but_its_own_files_and_is_asked_for_each_time(
    service: Service,
) -> None:
    answer = service.ask("GET", "/dashboard/jobs/7")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    text = answer.body.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|https?://", text)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", text))


def test_what_has_its_hash_in_its_name_is_kept_for_good_and_comes_compressed(
    service: Service,
) -> None:
    page = service.ask("GET", "/dashboard").body.decode()
    paths = re.findall(r'"(/dashboard/assets/[^"]+)"', page)
    assert any(path.endswith(".js") for path in paths)
    for path in paths:
        plain = service.ask("GET", path)
        assert plain.status == 200
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        again = service.ask("GET", path, if_none_match=plain.headers["etag"])
        assert (again.status, again.body) == (304, b"")
    script = next(path for path in paths if path.endswith(".js"))
    small = service.ask("GET", script, accept_encoding="gzip, br")
    assert small.headers["content-encoding"] == "br"
    assert small.headers["vary"] == "accept-encoding"
    assert len(small.body) < 40_000


def test_a_file_that_is_not_there_is_not_the_page(service: Service) -> None:
    answer = service.ask("GET", "/dashboard/assets/index-0.js")
    assert (answer.status, answer.json["type"]) == (404, "unknown-address")


def test_the_front_door_leads_to_it(service: Service) -> None:
    answer = service.ask("GET", "/")
    assert (answer.status, answer.headers["location"]) == (307, "/dashboard")
