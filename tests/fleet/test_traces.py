"""A request's place in a trace goes through to its job, and to all that is told of it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from aiobpy import fleet, tracing
from tests.fleet.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.fleet.service import Service

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
OURS = re.compile(rf"00-{TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01")
"""Of the same trace, with a span of its own."""


def test_a_job_and_all_that_is_told_of_it_are_in_the_trace_of_its_request(
    draw: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOBPY_LOG", "aiobpy::access=info,aiobpy_fleet::blender=debug")
    service = draw("--webhook-allow", "127.0.0.0/8")
    asked: dict[str, Any] = {"template": "drawing", "params": {"do": "die"}}
    with Receiver() as receiver:
        asked["webhook"] = {"url": receiver.url}
        headers = {"traceparent": PARENT, "X_Request_Id": "order-7"}
        answer = service.ask("POST", "/api/v1/jobs", asked, **headers)
        job = answer.json
        told = receiver.next()
    assert answer.headers["x-request-id"] == "order-7"
    assert OURS.fullmatch(job["traceparent"])
    assert {event["traceparent"] for event in service.story(job)} == {job["traceparent"]}
    assert told.json["data"]["traceparent"] == job["traceparent"]
    assert OURS.fullmatch(told.headers["traceparent"])
    assert told.headers["traceparent"] != job["traceparent"]
    service.end()
    log = re.sub(r"\x1b\[[0-9;]*m", "", service.errors())
    (accessed,) = [line for line in log.splitlines() if 'request_id="order-7"' in line]
    assert f"trace={job['traceparent']}" in accessed
    (printed,) = [line for line in log.splitlines() if "about to die" in line]
    assert f"job={job['id']}" in printed
    assert TRACE in printed


def test_the_client_asks_in_the_trace_of_what_it_is_asked_in(draw: Callable[..., Service]) -> None:
    service = draw()

    async def main() -> None:
        tracing.trace.set(PARENT)
        url = f"http://{service.host}:{service.port}"
        async with fleet.connect(url, token=service.token) as client:
            job = await client.submit("drawing", text="a mug")
            assert OURS.fullmatch(job.told["traceparent"])
            batch = await client.batch("drawing", variants=[{"text": "a mug"}, {"text": "a lamp"}])
            of_batch = [one.told["traceparent"] for one in await batch.jobs()]
            assert all(OURS.fullmatch(one) for one in of_batch)

    asyncio.run(main())


def test_a_job_without_a_trace_begins_one(draw: Callable[..., Service]) -> None:
    service = draw()
    jobs = [service.submit("drawing", {}) for _ in range(2)]
    traces = [job["traceparent"].split("-")[1] for job in jobs]
    assert len(set(traces)) == 2
    assert TRACE not in traces
