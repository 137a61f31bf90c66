"""A job and its files in one request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.service import Answer, Service

BOUNDARY = "edge"
DRAWING: dict[str, Any] = {"template": "drawing"}


@pytest.mark.parametrize("size", [7, 3 << 20])
def test_a_file_is_what_its_parameter_names(draw: Callable[..., Service], size: int) -> None:
    service = draw()
    label = b"x" * size
    made = send(service, part("request", DRAWING), file("label", label), Prefer="wait=30")
    assert (made.status, made.body) == (200, label)
    again = send(service, file("label", label), file("request", json.dumps(DRAWING).encode()))
    assert again.status == 202, again.body
    first = service.ask("GET", made.headers["location"]).json
    assert again.json["params"] == first["params"]
    assert first["params"]["label"].startswith("input:")


def test_the_same_request_under_a_name_is_one_job(draw: Callable[..., Service]) -> None:
    service = draw()
    parts = part("request", DRAWING), file("label", b"a label")
    jobs = [send(service, *parts, Idempotency_Key="order-7") for _ in range(2)]
    assert jobs[0].json["id"] == jobs[1].json["id"]
    other = send(service, parts[0], file("label", b"another"), Idempotency_Key="order-7")
    assert (other.status, other.json["type"]) == (422, "idempotency-key-reused")


def test_what_is_no_job_with_files_is_told_so(draw: Callable[..., Service]) -> None:
    service = draw()
    label = file("label", b"a label")
    both = part("request", {**DRAWING, "params": {"label": "input:" + "0" * 64}})
    for parts, status, kind in [
        ([label], 422, "invalid-form"),
        ([part("request", DRAWING), part("request", DRAWING)], 422, "invalid-form"),
        ([part("request", DRAWING), part("text", "a mug")], 422, "invalid-form"),
        ([both, label], 422, "invalid-body"),
        ([part("request", {"templates": "x"})], 422, "invalid-body"),
        ([part("request", DRAWING), file("colour", b"red")], 422, "invalid-request"),
        ([part("request", DRAWING), label, label], 422, "invalid-request"),
        ([file("request", b"{")], 400, "malformed-json"),
        ([file("request", b" " * (2 << 20))], 413, "body-too-large"),
    ]:
        answer = send(service, *parts)
        assert (answer.status, answer.json["type"]) == (status, kind), parts
    assert send(service, both, label).json["errors"][0]["pointer"] == "/params/label"
    cut_short = b"--edge\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{"
    answer = service.ask_with("POST", "/api/v1/jobs", cut_short, CONTENT_TYPE)
    assert (answer.status, answer.json["type"]) == (400, "malformed-form")


CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def send(service: Service, *parts: bytes, **headers: str) -> Answer:
    """Send a form."""
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return service.ask_with("POST", "/api/v1/jobs", body, CONTENT_TYPE, **headers)


def part(name: str, value: Any) -> bytes:
    """Return a field, as JSON."""
    return _part(f'name="{name}"', json.dumps(value).encode())


def file(name: str, content: bytes) -> bytes:
    """Return a file."""
    return _part(f'name="{name}"; filename="{name}.bin"', content)


def _part(disposition: str, content: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"
