"""Those who share a server see their own jobs alone, and have their own share of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fleet.service import Answer, Service

SHOP, FARM = "shop-token-0123456789abcdef", "farm-token-0123456789abcdef"


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    """A shop with little, and a farm with much."""
    (tmp_path / "farm.token").write_text(FARM + "\n")
    path = tmp_path / "tenants.toml"
    path.write_text(
        f"""
        [[tenant]]
        name = "shop"
        token_sha256 = "{hashlib.sha256(SHOP.encode()).hexdigest()}"
        most_waiting = 2
        most_running = 1
        highest_priority = 5

        [[tenant]]
        name = "farm"
        token_file = "farm.token"
        """
    )
    return path


def ask(service: Service, token: str, method: str, path: str, body: Any = None) -> Answer:
    return service.ask(method, path, body, Authorization=f"Bearer {token}")


def submit(service: Service, token: str, **params: Any) -> dict[str, Any]:
    request = {"template": "drawing", "params": params}
    answer = ask(service, token, "POST", "/api/v1/jobs", request)
    assert answer.status == 202, answer.body
    job: dict[str, Any] = answer.json
    return job


def test_a_tenant_sees_its_own_and_the_admin_all(
    draw: Callable[..., Service], tenants: Path
) -> None:
    service = draw("--tenants", tenants)
    of_shop, of_farm = submit(service, SHOP, text="a mug"), submit(service, FARM, text="hay")
    service.story(of_shop)
    service.story(of_farm)
    assert (of_shop["tenant"], of_farm["tenant"]) == ("shop", "farm")
    for path in ("", "/result", "/events"):
        address = f"/api/v1/jobs/{of_farm['id']}{path}"
        assert ask(service, FARM, "GET", address).status == 200
        refused = ask(service, SHOP, "GET", address)
        assert (refused.status, refused.json["type"]) == (404, "unknown-job")
    refused = ask(service, SHOP, "DELETE", f"/api/v1/jobs/{of_farm['id']}")
    assert refused.status == 404
    listed = ask(service, SHOP, "GET", "/api/v1/jobs").json["jobs"]
    assert [job["id"] for job in listed] == [of_shop["id"]]
    assert len(service.ask("GET", "/api/v1/jobs").json["jobs"]) == 2
    # Neither token is anywhere.
    assert SHOP not in service.errors()
    assert FARM not in service.errors()


def test_a_tenant_hears_of_its_own_jobs_alone(draw: Callable[..., Service], tenants: Path) -> None:
    service = draw("--tenants", tenants)
    of_farm = submit(service, FARM, text="hay")
    service.story(of_farm)
    of_shop = submit(service, SHOP)
    service.story(of_shop)
    stream = service.events_as(SHOP, "/api/v1/events", last=0)
    told = [next(stream) for _ in range(4)]
    stream.close()
    assert told[-1]["type"] == "job.finished"
    ids = {event.get("id") or event["job"]["id"] for event in told}
    assert ids == {of_shop["id"]}


def test_batches_and_secrets_are_each_tenants_own(
    draw: Callable[..., Service], tenants: Path
) -> None:
    service = draw("--tenants", tenants)
    request = {"job": {"template": "drawing"}, "frames": "1-2"}
    batch = ask(service, FARM, "POST", "/api/v1/batches", request).json
    address = f"/api/v1/batches/{batch['id']}"
    assert ask(service, FARM, "GET", address).json["tenant"] == "farm"
    for path in ("", "/jobs", "/events", "/results"):
        assert ask(service, SHOP, "GET", address + path).status == 404
    assert ask(service, SHOP, "GET", "/api/v1/batches").json == {"batches": []}
    secrets = {
        ask(service, token, "GET", "/api/v1/webhook-secret").json["secret"]
        for token in (SHOP, FARM, service.token)
    }
    assert len(secrets) == 3


def test_a_tenant_has_its_share_and_no_more(draw: Callable[..., Service], tenants: Path) -> None:
    service = draw("--tenants", tenants)
    busy = service.submit("drawing", {"do": "dawdle"})
    service.until(busy, "job.started")
    submit(service, SHOP)
    submit(service, SHOP)
    request = {"template": "drawing"}
    full = ask(service, SHOP, "POST", "/api/v1/jobs", request)
    assert (full.status, full.json["type"]) == (429, "quota-used-up")
    assert int(full.headers["retry-after"]) >= 1
    submit(service, FARM)
    urgent = ask(service, SHOP, "POST", "/api/v1/jobs", {**request, "priority": 6})
    assert (urgent.status, urgent.json["type"]) == (403, "priority-too-high")


def test_no_process_serves_two_tenants(draw: Callable[..., Service], tenants: Path) -> None:
    service = draw("--tenants", tenants)
    workers = []
    for token in (SHOP, FARM, SHOP):
        story = service.story(submit(service, token))
        workers += [event["worker"] for event in story if event["type"] == "job.started"]
    assert len(set(workers)) == 3


def test_a_tenant_runs_no_more_at_once_than_it_may(
    draw: Callable[..., Service], tenants: Path
) -> None:
    service = draw("--tenants", tenants, "--workers", "2")
    first = submit(service, SHOP, do="take", seconds=0.3)
    second = submit(service, SHOP)
    service.until(first, "job.started")
    told = service.story(second)
    started = next(event for event in told if event["type"] == "job.started")
    ended = service.until(first, "job.finished")
    assert started["sequence"] > ended["sequence"], "one at a time, with a worker idle"


def test_what_tells_of_all_is_not_for_tenants(draw: Callable[..., Service], tenants: Path) -> None:
    service = draw("--tenants", tenants)
    for path in ("/metrics", "/api/v1/workers", "/api/v1/requests", "/api/v1/status", "/ws"):
        answer = ask(service, SHOP, "GET", path)
        assert (answer.status, answer.json["type"]) == (403, "not-for-tenants"), path
    assert ask(service, SHOP, "GET", "/api/v1/templates").status == 200
    assert ask(service, SHOP, "GET", "/api/v1/pressure").status == 200
    assert ask(service, SHOP[:-1] + "0", "GET", "/api/v1/jobs").status == 401
