"""Whether there is room, when there will be, and what is counted."""

from __future__ import annotations

import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.service import Service

JOB_SECONDS = 0.25
CLIENTS = 12
"""With one worker and four that may wait, three times what there is room for."""
WARM_UP_SECONDS = 3.0
"""Until it is known how long jobs take."""
MEASURED_SECONDS = 10.0


def drawing(**params: Any) -> dict[str, Any]:
    return {"template": "drawing", "params": params}


def test_pressure_tells_whether_there_is_room(draw: Callable[..., Service]) -> None:
    service = draw("--max-waiting", "1")
    busy = service.submit("drawing", {"do": "dawdle"})
    service.until(busy, "job.started")
    free = _until(service, lambda pressure: bool(pressure["available"]))
    assert (free["reason"], free["queued"], free["running"]) == (None, 0, 1)
    plain = service.ask("GET", "/api/v1/pressure", Accept="text/plain")
    assert (plain.status, plain.body) == (200, b"ok\n")
    waiting = service.submit("drawing", {})
    service.until(waiting, "job.queued")
    assert service.ask("POST", "/api/v1/jobs", drawing()).status == 429
    full = _until(service, lambda pressure: not pressure["available"])
    assert (full["reason"], full["queued"], full["running"]) == ("queue-full", 1, 1)
    assert full["recently_rejected"] == 1
    assert full["seconds_to_a_place"] >= 1
    plain = service.ask("GET", "/api/v1/pressure", Accept="text/plain")
    assert (plain.status, plain.body) == (503, b"queue-full\n")
    assert int(plain.headers["retry-after"]) >= 1


def test_a_server_that_drains_begins_nothing_until_it_is_told_to(
    draw: Callable[..., Service],
) -> None:
    service = draw()
    busy = service.submit("drawing", {"do": "take", "seconds": 0.2})
    service.until(busy, "job.started")
    drained = service.ask("POST", "/api/v1/drain", Prefer="wait=30")
    assert (drained.status, drained.json) == (200, {"draining": True, "drained": True})
    assert service.job(busy)["state"] == "finished"
    waiting = service.submit("drawing", {})
    assert service.ask("GET", "/api/v1/pressure").json["reason"] == "draining"
    assert service.job(waiting)["state"] == "queued"
    assert service.ask("POST", "/api/v1/undrain").json["draining"] is False
    assert service.story(waiting)[-1]["type"] == "job.finished"


def test_a_worker_makes_room_when_it_is_asked_to(draw: Callable[..., Service]) -> None:
    service = draw()
    busy = service.submit("drawing", {"do": "take", "seconds": 0.2})
    started = service.until(busy, "job.started")
    path = f"/api/v1/workers/{urllib.parse.quote(started['worker'], safe='')}/recycle"
    assert service.ask("POST", path).status == 202
    assert service.story(busy)[-1]["type"] == "job.finished"
    other = service.submit("drawing", {})
    assert service.story(other)[-1]["type"] == "job.finished"
    assert service.until(other, "job.started")["worker"] != started["worker"]
    unknown = service.ask("POST", "/api/v1/workers/nobody/recycle")
    assert (unknown.status, unknown.json["type"]) == (404, "unknown-worker")


def test_metrics_count_jobs_and_how_long_they_took(draw: Callable[..., Service]) -> None:
    service = draw()
    for params in ({}, {}, {"do": "raise", "attempts": 99}):
        service.story(service.submit("drawing", params))
    text = service.ask("GET", "/metrics").body.decode()
    while 'aiobpy_jobs_total{outcome="failed"} 1' not in text:
        text = service.ask("GET", "/metrics").body.decode()
    assert 'aiobpy_jobs_total{outcome="finished"} 2' in text
    assert "aiobpy_job_wait_seconds_count 3" in text
    assert "aiobpy_job_run_seconds_count 3" in text
    assert "aiobpy_jobs_queued 0" in text
    assert "aiobpy_jobs_running 0" in text
    assert 'aiobpy_workers{state="warm"} 1' in text


def test_retry_after_is_right_at_three_times_the_capacity(draw: Callable[..., Service]) -> None:
    """Most who come again when told find a place within twice that time."""
    service = draw("--max-waiting", "4")
    ended = threading.Event()

    def client(number: int) -> list[float]:
        """Have one job done after the other; return how much of what was told it took to get in."""
        ratios: list[float] = []
        told, since, begun = 0.0, time.monotonic(), time.monotonic()
        while not ended.is_set():
            request = drawing(do="take", seconds=JOB_SECONDS, text=f"of client {number}")
            answer = service.ask("POST", "/api/v1/jobs", request)
            if answer.status == 202:
                if told and since - begun > WARM_UP_SECONDS:
                    ratios.append((time.monotonic() - since) / told)
                service.story(answer.json)
                told, since = 0.0, time.monotonic()
                continue
            assert answer.status == 429, answer.body
            wait = float(answer.headers["retry-after"])
            told = told or wait
            # What a client does that honours it.
            ended.wait(wait)
        return ratios

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        ended.wait(WARM_UP_SECONDS + MEASURED_SECONDS)
        ended.set()
        ratios = sorted(ratio for one in clients for ratio in one.result())
    assert len(ratios) >= 10, ratios
    right = [ratio for ratio in ratios if 0.5 <= ratio <= 2.0]
    assert len(right) >= 0.8 * len(ratios), [round(ratio, 1) for ratio in ratios]


def _until(service: Service, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while True:
        pressure: dict[str, Any] = service.ask("GET", "/api/v1/pressure").json
        if holds(pressure):
            return pressure
