"""14. A client has the server talk to what only the server can reach: server-side request forgery.

Mirrors CVE-2026-5530 (Ollama asked what it was told to pull from), and what webhooks of others fell
for: addresses in notations that no list of texts knows, redirects that lead inside, and names that
stand for inner addresses.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet.conftest import STAND_IN
from tests.fleet.receiver import Receiver
from tests.fleet.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that may tell the internet, and nobody else."""
    folder = tmp_path_factory.mktemp("closed")
    yield from _serving(folder)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that may tell 127.0.0.1, but no other of this computer's own addresses."""
    folder = tmp_path_factory.mktemp("opened")
    yield from _serving(folder, "--webhook-allow", "127.0.0.1", "--webhook-delays", "0,0")


def _serving(folder: Path, *arguments: str) -> Iterator[Service]:
    blender = ("--templates", folder, "--blender", STAND_IN, "--package-dir", folder)
    service = Service(folder, *blender, *arguments)
    yield service
    assert service.end() == 0, service.errors()


def submit(service: Service, url: str) -> Any:
    request = {"template": "drawing", "webhook": {"url": url}}
    return service.ask("POST", "/api/v1/jobs", request)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "0"),
        *("0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254"),
        *("224.0.0.1", "255.255.255.255", "192.0.0.1", "198.18.0.1", "[::]", "[::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
        *("[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fd00::1]", "[ff02::1]"),
        *("localhost", "LOCALHOST", "localhost.", "sub.localhost", "%31%32%37.0.0.1"),
    ],
)
def test_inner_addresses_are_refused_in_whatever_notation(service: Service, host: str) -> None:
    answer = submit(service, f"http://{host}/latest/meta-data/")
    assert answer.status == 422, (host, answer.body)
    assert answer.json["type"] == "webhook-refused"


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "ftp://127.0.0.1/"),
        *("data:,x", "javascript:alert(1)", "http://", "//127.0.0.1/", "http:127.0.0.1"),
        *("http://shop.example@127.0.0.1/", "http://127.0.0.1#@shop.example/", "http://[::1"),
        *("http://127.0.0.1\\@shop.example/", "http://shop.example:0/", "http://\t127.0.0.1/"),
    ],
)
def test_other_schemes_and_ambiguous_addresses_are_refused(service: Service, url: str) -> None:
    answer = submit(service, url)
    assert answer.status == 422, (url, answer.body)


def test_a_name_that_stands_for_an_inner_address_is_not_connected_to(service: Service) -> None:
    name = socket.gethostname()
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(name, 80, socket.AF_INET)}
    except OSError:
        pytest.skip("this computer does not know its own name")
    with Receiver() as receiver:
        # What it stands for is looked at when it is told: the job is taken, and nothing is sent.
        answer = submit(service, f"http://{name}:{receiver.port}/hook")
        assert answer.status == 202, answer.body
        story = service.story(answer.json)
        assert story[-1]["type"] == "job.finished"
        figures = _until_counted(service, "refused")
        assert figures >= 1, found
        assert receiver.is_silent()


def test_a_redirect_that_leads_inside_is_not_followed(opened: Service) -> None:
    with Receiver() as inner, Receiver(f"http://127.0.0.2:{inner.port}/", inner.url) as outer:
        assert submit(opened, outer.url).status == 202
        # Each time the same place is told, and where it leads to never.
        for _ in range(3):
            assert outer.next().path == "/hook"
        assert inner.is_silent()


def test_what_is_allowed_is_that_and_nothing_beside_it(opened: Service) -> None:
    for host in ("127.0.0.2", "10.0.0.1", "[::1]", "169.254.169.254"):
        assert submit(opened, f"http://{host}/").status == 422, host


def test_an_answer_without_end_holds_nobody_up(opened: Service) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, Receiver() as receiver:
        port = listener.getsockname()[1]
        assert submit(opened, f"http://127.0.0.1:{port}/").status == 202
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 60_000)
            assert submit(opened, receiver.url).status == 202
            assert receiver.next().path == "/hook"


def _until_counted(service: Service, outcome: str) -> int:
    """Wait until a webhook has come to that; return how many have."""
    for _ in range(10_000):
        for line in service.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith("aiobpy_webhook_attempts_total") and f'"{outcome}"' in line:
                return int(line.rsplit(" ", 1)[1])
    return 0
