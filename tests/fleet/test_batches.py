"""Many jobs by one request: all or none, followed and cancelled together."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.service import Service


def submit(service: Service, request: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = service.ask("POST", "/api/v1/batches", request, **headers)
    assert answer.status == 202, answer.body
    batch: dict[str, Any] = answer.json
    assert answer.headers["location"] == f"/api/v1/batches/{batch['id']}"
    return batch


def drawing(**more: Any) -> dict[str, Any]:
    return {"job": {"template": "drawing"}, **more}


def test_variants_and_frames_become_jobs_and_their_results_an_archive(
    draw: Callable[..., Service],
) -> None:
    service = draw("--workers", "2")
    variants = [{"text": "a mug"}, {"text": "a lamp"}]
    batch = submit(service, drawing(variants=variants, frames="1-5x2"))
    path = f"/api/v1/batches/{batch['id']}"
    assert batch["jobs"]["total"] == 6
    events = list(service.events(f"{path}/events"))
    ended = [event for event in events if event["type"] == "job.finished"]
    assert len(ended) == 6
    assert events[-1]["type"] == "job.finished"
    over = service.ask("GET", path).json
    assert (over["state"], over["progress"], over["jobs"]["finished"]) == ("finished", 1.0, 6)

    jobs = service.ask("GET", f"{path}/jobs").json["jobs"]
    made = [(job["params"]["text"], job["output"]["frame"]) for job in jobs]
    assert made == [(variant["text"], frame) for variant in variants for frame in (1, 3, 5)]
    assert {job["batch"] for job in jobs} == {batch["id"]}

    answer = service.ask("GET", f"{path}/results")
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.body)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == "0001-drawing-f0001.png"
        assert names[5] == "0006-drawing-f0005.png"
        assert archive.read(names[5]) == b"a lamp"
    again = service.ask("GET", f"{path}/results", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = service.ask("HEAD", f"{path}/results")
    assert (head.headers["content-length"], head.body) == (str(len(answer.body)), b"")
    seen = str(events[-1]["sequence"])
    assert service.ask("GET", f"{path}/events", Last_Event_ID=seen).status == 204
    rest = service.ask("GET", f"{path}/events", Last_Event_ID=str(events[-2]["sequence"]))
    assert rest.body.count(b"data:") == 1


def test_a_batch_that_does_not_fit_into_the_queue_is_refused_whole(
    draw: Callable[..., Service],
) -> None:
    service = draw("--max-waiting", "5")
    busy = service.submit("drawing", {"do": "dawdle"})
    service.until(busy, "job.started")
    submit(service, drawing(frames="1-3"))
    refused = service.ask("POST", "/api/v1/batches", drawing(frames="1-3"))
    assert (refused.status, refused.json["type"]) == (429, "queue-full")
    assert int(refused.headers["retry-after"]) >= 1
    assert len(service.ask("GET", "/api/v1/jobs").json["jobs"]) == 4
    too_large = service.ask("POST", "/api/v1/batches", drawing(frames="1-6"))
    assert (too_large.status, too_large.json["type"]) == (422, "invalid-batch")


def test_what_is_wrong_with_one_job_is_told_and_none_is_taken_on(
    draw: Callable[..., Service],
) -> None:
    service = draw()
    variants = [{"text": "a mug"}, {"colour": "red"}]
    refused = service.ask("POST", "/api/v1/batches", drawing(variants=variants))
    assert refused.status == 422
    assert refused.json["detail"].startswith("of job 2 of 2")
    assert refused.json["errors"][0]["pointer"] == "/params/colour"
    assert service.ask("GET", "/api/v1/jobs").json["jobs"] == []


def test_a_batch_that_is_sent_again_with_its_key_is_the_same(draw: Callable[..., Service]) -> None:
    service = draw()
    first = submit(service, drawing(frames="1-3"), Idempotency_Key="order-7")
    again = submit(service, drawing(frames="1-3"), Idempotency_Key="order-7")
    assert again["id"] == first["id"]
    other = service.ask("POST", "/api/v1/batches", drawing(), Idempotency_Key="order-7")
    assert (other.status, other.json["type"]) == (422, "idempotency-key-reused")
    # A job's keys are not a batch's.
    job = service.ask("POST", "/api/v1/jobs", {"template": "drawing"}, Idempotency_Key="order-7")
    assert job.status == 202
    assert [batch["id"] for batch in service.ask("GET", "/api/v1/batches").json["batches"]] == [
        first["id"]
    ]


def test_a_batch_is_cancelled_whole(draw: Callable[..., Service]) -> None:
    service = draw()
    batch = submit(service, drawing(variants=[{"do": "dawdle"}] * 4))
    path = f"/api/v1/batches/{batch['id']}"
    (first, *_) = service.ask("GET", f"{path}/jobs").json["jobs"]
    service.until(first, "job.started")
    early = service.ask("GET", f"{path}/results")
    assert (early.status, early.json["type"]) == (409, "no-result-yet")
    answer = service.ask("DELETE", path)
    assert (answer.status, answer.json["state"]) == (200, "cancelled")
    assert answer.json["jobs"]["cancelled"] == 4
    again = service.ask("DELETE", path)
    assert (again.status, again.json["type"]) == (409, "batch-ended")
    assert service.ask("GET", "/api/v1/batches/nonsense").status == 404


def test_a_batch_outlives_its_server(draw: Callable[..., Service]) -> None:
    first = draw()
    batch = submit(first, drawing(variants=[{"do": "dawdle"}, {}, {}]))
    # The first attempt dawdles for ever, the next does not.
    path = f"/api/v1/batches/{batch['id']}/events"
    assert any(event["type"] == "job.started" for event in first.events(path))
    first.process.kill()
    first.end()
    second = draw()
    events = list(second.events(path))
    assert [event["type"] for event in events].count("job.finished") == 3
    assert second.ask("GET", f"/api/v1/batches/{batch['id']}").json["state"] == "finished"
