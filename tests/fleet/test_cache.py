"""The same twice is made once, and whoever asks is told so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiobpy import fleet
from tests.fleet.receiver import Receiver
from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BALL = Path(__file__).with_name("ball.py")
SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 1}
MUG = {"template": "drawing", "params": {"text": "a mug"}}


@pytest.fixture
def service(draw: Callable[..., Service], tmp_path: Path) -> Service:
    """A server whose worker says what its pictures depend on."""
    mode = tmp_path / "mode"
    mode.write_text("cached")
    return draw("--templates", mode, "--webhook-allow", "127.0.0.0/8", cache=True)


def jobs_done(service: Service) -> int:
    return sum(worker["jobs_done"] for worker in service.workers())


def test_what_was_made_answers_the_same_request_and_says_so(service: Service) -> None:
    first = service.ask("POST", "/api/v1/jobs", MUG, Prefer="wait=30")
    assert (first.status, first.headers["cache-status"]) == (200, "aiobpy; fwd=miss")
    again = service.ask("POST", "/api/v1/jobs", MUG, Prefer="wait=30")
    assert (again.status, again.body) == (200, b"a mug")
    assert again.headers["cache-status"] == "aiobpy; hit"
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] != first.headers["location"]
    by_address = "/api/v1/templates/drawing/jobs"
    hit = service.ask("POST", by_address, MUG["params"], Prefer="wait=30")
    assert hit.headers["cache-status"] == "aiobpy; hit"
    later = service.ask("POST", "/api/v1/jobs", MUG)
    assert (later.status, later.headers["cache-status"]) == (202, "aiobpy; hit")
    job = later.json
    assert job["state"] == "finished"
    assert first.headers["location"].endswith(job["cached_from"])
    (told,) = service.story(job)
    assert (told["type"], told["cached_from"]) == ("job.finished", job["cached_from"])
    assert jobs_done(service) == 1
    assert "jobs_cached_total 3" in service.ask("GET", "/metrics").body.decode()


def test_whoever_wants_it_made_anew_says_so(service: Service) -> None:
    path = "/api/v1/templates/drawing/jobs"
    assert service.ask("POST", path, {}, Prefer="wait=30").status == 200
    for number, (query, headers) in enumerate(
        [
            ("?cache=false", {}),
            ("", {"Cache_Control": "max-age=0, no-cache"}),
        ]
    ):
        anew = service.ask("POST", path + query, {}, Prefer="wait=30", **headers)
        assert anew.headers["cache-status"] == "aiobpy; fwd=request"
        assert jobs_done(service) == number + 2
    # What was made last answers from then on.
    latest = service.ask("POST", path, {}).json
    assert anew.headers["location"].endswith(latest["cached_from"])


def test_a_batch_renders_only_what_is_new(service: Service) -> None:
    service.story(service.submit("drawing", {"text": "a mug"}))
    batch = {"job": MUG, "variants": [{}, {"text": "a lamp"}, {"text": "a mug"}]}
    told = service.ask("POST", "/api/v1/batches", batch).json
    path = f"/api/v1/batches/{told['id']}"
    assert [event["type"] for event in service.events(f"{path}/events")].count("job.finished") == 3
    cached = [job.get("cached_from") for job in service.ask("GET", f"{path}/jobs").json["jobs"]]
    assert cached[1] is None
    assert cached[0] == cached[2] is not None
    assert jobs_done(service) == 2
    # All of it is there: it has ended when it is taken on.
    again = service.ask("POST", "/api/v1/batches", batch).json
    assert (again["state"], again["jobs"]["finished"]) == ("finished", 3)
    path = f"/api/v1/batches/{again['id']}"
    assert len(list(service.events(f"{path}/events"))) == 3
    assert service.ask("GET", f"{path}/results").status == 200


def test_a_webhook_is_told_of_what_was_there(service: Service) -> None:
    with Receiver() as receiver:
        webhook = {"webhook": {"url": receiver.url}}
        first = service.ask("POST", "/api/v1/jobs", MUG | webhook).json
        assert receiver.next().json["data"]["id"] == first["id"]
        again = service.ask("POST", "/api/v1/jobs", MUG | webhook).json
        told = receiver.next().json
        assert (told["type"], told["data"]["id"]) == ("job.finished", again["id"])
        assert told["data"]["cached_from"] == first["id"]


def test_a_request_under_a_key_is_the_same_job(service: Service) -> None:
    service.story(service.submit("drawing", {"text": "a mug"}))
    sent = [service.ask("POST", "/api/v1/jobs", MUG, Idempotency_Key="a").json for _ in range(2)]
    assert sent[0]["id"] == sent[1]["id"]
    assert sent[0]["cached_from"] == sent[1]["cached_from"] is not None


def test_the_client_gets_what_was_there_unless_it_wants_it_anew(service: Service) -> None:
    async def main() -> None:
        url = f"http://{service.host}:{service.port}"
        async with fleet.connect(url, token=service.token) as client:
            assert (await client.render("drawing", text="a mug")).bytes == b"a mug"
            job = await client.submit("drawing", text="a mug")
            assert job.is_over
            assert job.cached_from is not None
            assert (await job.result()).bytes == b"a mug"
            anew = await client.submit("drawing", text="a mug", cache=False)
            assert (await anew.result()).bytes == b"a mug"
            assert (await anew.refresh()).cached_from is None
            batch = await client.batch("drawing", variants=[{"text": "a mug"}], cache=False)
            await batch.wait()
            assert [one.cached_from for one in await batch.jobs()] == [None]

    asyncio.run(main())


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start servers with a real Blender, one after the other, over the same data."""
    started: list[Service] = []

    def start(*arguments: object) -> Service:
        for service in started:
            service.end()
        started.append(Service(tmp_path, *arguments, cache=True))
        return started[-1]

    yield start
    for service in started:
        service.end()


def test_a_template_that_was_written_anew_is_rendered_anew(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    template = tmp_path / "ball.py"
    template.write_text(BALL.read_text())

    def ask() -> dict[str, Any]:
        job = server.submit("ball", {"colour": "#ff0000"}, **SMALL)
        server.story(job)
        return server.job(job)

    server = serve("--templates", template)
    first = ask()
    assert "cached_from" not in first
    assert ask()["cached_from"] == first["id"]
    server = serve("--templates", template)
    assert ask()["cached_from"] == first["id"]
    template.write_text(BALL.read_text() + "\n# as somebody has changed it\n")
    server = serve("--templates", template)
    assert "cached_from" not in ask()
