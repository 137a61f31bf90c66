"""Files that are sent for jobs, over HTTP."""

from __future__ import annotations

import http.client
import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.fleet.conftest import HERE
from tests.fleet.service import SECONDS, Answer, Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with a worker."""
    started = Service(tmp_path_factory.mktemp("service"), "--templates", HERE / "ball.py")
    yield started
    started.end()


def test_the_same_bytes_have_the_same_name(service: Service) -> None:
    first, second, other = (send(service, body) for body in (b"pixels", b"pixels", b"others"))
    assert (first.status, first.json["bytes"]) == (201, 6)
    assert re.fullmatch("input:[0-9a-f]{64}", first.json["name"])
    assert second.json == first.json
    assert other.json["name"] != first.json["name"]


def test_a_file_that_is_large_is_taken_piece_by_piece(service: Service) -> None:
    body = bytes(range(256)) * 20_000
    assert send(service, body).json["bytes"] == len(body)


def test_one_that_is_too_large_is_refused_before_it_is_sent(service: Service) -> None:
    length = str((1 << 30) + 1)
    answer = send(service, b"", length=length, expect="100-continue")
    assert (answer.status, answer.json["type"]) == (413, "body-too-large")


def test_nobody_sends_one_without_a_token(service: Service) -> None:
    answer = send(service, b"pixels", token="0123456789abcdef")
    assert answer.status == 401


def send(
    service: Service,
    body: bytes,
    *,
    length: str | None = None,
    expect: str | None = None,
    token: str | None = None,
) -> Answer:
    """Send a file."""
    headers = {
        "Authorization": f"Bearer {token or service.token}",
        "Content-Length": length or str(len(body)),
        "Content-Type": "application/octet-stream",
    }
    if expect is not None:
        headers["Expect"] = expect
    connection = http.client.HTTPConnection(service.host, service.port, timeout=SECONDS)
    with closing(connection):
        connection.request("POST", "/api/v1/inputs", body, headers)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())
