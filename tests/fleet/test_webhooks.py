"""Webhooks are told what becomes of jobs: signed, again until it arrives, and after a crash too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fleet.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.service import Service

ALLOWED = ("--webhook-allow", "127.0.0.0/8")


def submit(service: Service, url: str, *events: str, **params: Any) -> dict[str, Any]:
    webhook: dict[str, Any] = {"url": url}
    if events:
        webhook["events"] = list(events)
    request = {"template": "drawing", "params": params, "webhook": webhook}
    answer = service.ask("POST", "/api/v1/jobs", request)
    assert answer.status == 202, answer.body
    job: dict[str, Any] = answer.json
    return job


def test_the_end_of_a_job_is_told_and_signed(draw: Callable[..., Service]) -> None:
    service = draw(*ALLOWED)
    secret = service.ask("GET", "/api/v1/webhook-secret").json["secret"]
    with Receiver() as receiver:
        job = submit(service, receiver.url, text="a mug")
        told = receiver.next()
        assert (told.path, told.headers["content-type"]) == ("/hook", "application/json")
        assert told.is_signed_with(secret)
        assert not told.is_signed_with("whsec_" + "A" * 43 + "=")
        assert (told.json["type"], told.json["data"]["id"]) == ("job.finished", job["id"])
        assert told.json["data"]["state"] == "finished"
        failed = submit(service, receiver.url, do="raise", attempts=99)
        told = receiver.next()
        assert (told.json["type"], told.json["data"]["id"]) == ("job.failed", failed["id"])
        assert receiver.is_silent()
    assert secret not in service.errors()


def test_only_what_was_asked_for_is_told(draw: Callable[..., Service]) -> None:
    service = draw(*ALLOWED)
    with Receiver() as receiver:
        job = submit(service, receiver.url, "job.queued", "job.started")
        told = {receiver.next().json["type"] for _ in range(2)}
        assert told == {"job.queued", "job.started"}
        service.story(job)
        # One that is told for sure comes after all that could have been told before.
        submit(service, receiver.url, "job.finished")
        assert receiver.next().json["type"] == "job.finished"


def test_what_does_not_arrive_is_sent_again_with_the_same_id(draw: Callable[..., Service]) -> None:
    service = draw(*ALLOWED, "--webhook-delays", "0,0,0")
    with Receiver(503, 307, 204) as receiver:
        submit(service, receiver.url)
        attempts = [receiver.next() for _ in range(3)]
        assert len({attempt.headers["webhook-id"] for attempt in attempts}) == 1
        assert len({attempt.body for attempt in attempts}) == 1
        submit(service, receiver.url)
        assert receiver.next().headers["webhook-id"] != attempts[0].headers["webhook-id"]


def test_who_answers_gone_is_told_no_more(draw: Callable[..., Service]) -> None:
    service = draw(*ALLOWED, "--webhook-delays", "0,0,0")
    with Receiver(410, 204) as receiver:
        first = submit(service, receiver.url)
        assert receiver.next().json["data"]["id"] == first["id"]
        second = submit(service, receiver.url)
        assert receiver.next().json["data"]["id"] == second["id"]


def test_what_was_not_told_yet_is_told_by_the_next_server(draw: Callable[..., Service]) -> None:
    first = draw(*ALLOWED, "--webhook-delays", "0,3600")
    with Receiver(500) as receiver:
        job = submit(first, receiver.url)
        unheard = [receiver.next(), receiver.next()]
        first.process.kill()
        first.end()
    with Receiver() as later:
        # In the time of the first it would be told in an hour; nothing has to be waited for here.
        second = draw(*ALLOWED)
        told_anew = submit(second, later.url)
        assert later.next().json["data"]["id"] == told_anew["id"]
    assert {attempt.json["data"]["id"] for attempt in unheard} == {job["id"]}


def test_a_job_that_ends_after_a_crash_is_told(draw: Callable[..., Service]) -> None:
    with Receiver() as receiver:
        first = draw(*ALLOWED)
        job = submit(first, receiver.url, do="dawdle", attempts=1)
        first.until(job, "job.started")
        first.process.kill()
        first.end()
        draw(*ALLOWED)
        told = receiver.next()
        assert (told.json["type"], told.json["data"]["id"]) == ("job.finished", job["id"])
        assert told.json["data"]["attempt"] == 2


def test_the_end_of_a_batch_is_told_once(draw: Callable[..., Service]) -> None:
    service = draw(*ALLOWED, "--workers", "2")
    with Receiver() as receiver:
        texts = [f"mug {number}" for number in range(5)]
        request = {
            "job": {"template": "drawing"},
            "matrix": {"text": texts},
            "webhook": {"url": receiver.url},
        }
        batch = service.ask("POST", "/api/v1/batches", request).json
        told = receiver.next()
        assert (told.json["type"], told.json["data"]["id"]) == ("batch.ended", batch["id"])
        assert told.json["data"]["jobs"]["finished"] == len(texts)
        submit(service, receiver.url)
        assert receiver.next().json["type"] == "job.finished"


def test_what_is_no_webhook_is_refused(draw: Callable[..., Service]) -> None:
    service = draw(*ALLOWED)
    for webhook in (
        {"url": "ftp://shop.example/"},
        {"url": "https://ada:secret@shop.example/"},
        {"url": "not an address"},
    ):
        request = {"template": "drawing", "webhook": webhook}
        answer = service.ask("POST", "/api/v1/jobs", request)
        assert answer.status == 422, answer.body
        assert answer.json["errors"][0]["pointer"] == "/webhook/url"
        assert "secret" not in json.dumps(answer.json)
