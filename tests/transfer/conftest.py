"""Servers, and the two ways to run what is tested."""

from __future__ import annotations

import itertools
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import aiobpy
from aiobpy.testing import GuestLoop
from tests.processes import first_line, running

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]
ROOT = Path(__file__).parents[2]


class Origin:
    """The server of `origin.py`."""

    _names = itertools.count()

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def file(self, *, name: str | None = None, **behaviour: Any) -> str:
        """Return the address of something new that behaves so; see `origin.Behaviour`."""
        name = name or f"n{next(self._names)}"
        self._ask("PUT", name, behaviour)
        return f"{self.address}/{name}"

    def change(self, url: str, **behaviour: Any) -> None:
        """Have it behave otherwise from now on."""
        self._ask("PUT", url.rpartition("/")[2], behaviour)

    def asked(self, url: str) -> list[dict[str, Any]]:
        """Return what it has been asked so far."""
        asked: list[dict[str, Any]] = json.loads(self._ask("GET", url.rpartition("/")[2], None))
        return asked

    def _ask(self, method: str, name: str, content: object) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.address}/_/{name}", data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            body: bytes = answer.read()
        return body


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    with running([sys.executable, "-m", "tests.transfer.origin"], os.environ) as process:
        yield Origin(int(first_line(process)))
        process.kill()


@pytest.fixture(scope="session")
def other_origin() -> Iterator[Origin]:
    """A server that is another one to a client: it has another port."""
    with running([sys.executable, "-m", "tests.transfer.origin"], os.environ) as process:
        yield Origin(int(first_line(process)))
        process.kill()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of loopback on which nobody listens."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's environment says, loopback is asked directly."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=[aiobpy.EventLoop, GuestLoop], ids=["alone", "guest"])
def run(request: pytest.FixtureRequest) -> Iterator[Run[Any]]:
    """Run a coroutine to its end: on a loop that stands alone, and on a guest that is ticked."""
    loop = request.param()
    yield loop.run_until_complete
    loop.close()
