"""The web server of a real Python process, asked from outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy.server

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any

_TIMEOUT = 30.0

_PROGRAM = """
import asyncio, ctypes
from pathlib import Path
import aiobpy, aiobpy.server

@aiobpy.rpc
async def add(one: int, two: int) -> int:
    await asyncio.sleep(0)
    return one + two

@aiobpy.rpc
def publish(topic: str, data: list[int]) -> None:
    aiobpy.publish(topic, data)

@aiobpy.rpc
def block() -> str:
    # Holds the interpreter's lock, as a Blender operator does, until a byte comes.
    aiobpy.publish("blocked")
    buffer = ctypes.create_string_buffer(1)
    ctypes.PyDLL(None).read(0, buffer, 1)
    return "done"

@aiobpy.rpc
def stop_server() -> None:
    aiobpy.server.stop()

async def main() -> None:
    stopped = asyncio.Event()

    @aiobpy.rpc
    def leave() -> None:
        stopped.set()

    server = aiobpy.server.start()
    print(server.discovery_file, flush=True)
    await stopped.wait()
    aiobpy.server.stop()
    print(sorted(path.name for path in server.discovery_file.parent.iterdir()), flush=True)
    threads = Path("/proc/self/task").glob("*/comm")
    print(sorted(path.read_text().strip() for path in threads), flush=True)

aiobpy.run(main())
"""


class Process:
    """A Python process with a web server."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "XDG_CONFIG_HOME": str(folder)}
        environment.pop("AIOBPY_TOKEN", None)
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", textwrap.dedent(_PROGRAM)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.discovery_file = Path(self.read_line())
        self.discovery = json.loads(self.discovery_file.read_text())
        self.host = self.discovery["address"].removeprefix("http://")

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(
        self, method: str, path: str, body: Json = None, **headers: str
    ) -> http.client.HTTPConnection:
        """Send a request on a connection of its own, and do not wait for the answer."""
        connection = http.client.HTTPConnection(self.host, timeout=_TIMEOUT)
        headers.setdefault("Authorization", f"Bearer {self.discovery['token']}")
        data = None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, path, data, headers)
        return connection

    def ask(self, method: str, path: str, body: Json = None, **headers: str) -> tuple[int, Json]:
        return read(self.send(method, path, body, **headers))

    def call(self, name: str, **params: Json) -> Json:
        status, answer = self.ask("POST", f"/api/v1/rpc/{name}", params)
        assert status == 200, answer
        return answer

    @contextlib.contextmanager
    def events(self, query: str = "", **headers: str) -> Iterator[Iterator[dict[str, str]]]:
        connection = self.send("GET", f"/api/v1/events{query}", **headers)
        try:
            response = connection.getresponse()
            assert response.status == 200
            yield parse_events(response)
        finally:
            connection.close()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def read(connection: http.client.HTTPConnection) -> tuple[int, Json]:
    """Read the answer and close the connection."""
    with contextlib.closing(connection):
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def parse_events(response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
    """Return server-sent events as they come; the first has no name and tells that it begins."""
    event: dict[str, str] = {}
    while line := response.readline().decode():
        line = line.rstrip("\n")
        if not line:
            yield event
            event = {}
        name, _, value = line.partition(": ")
        event[name] = value


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    try:
        yield process
    finally:
        process.end()


def test_status_is_answered_to_who_has_the_token(process: Process) -> None:
    status, answer = process.ask("GET", "/api/v1/status")
    assert status == 200
    assert answer["pid"] == process.process.pid
    assert answer["address"] == process.discovery["address"]
    assert answer["main_thread"]["loop"]["ticks"] >= 0
    status, answer = process.ask("GET", "/api/v1/status", Authorization="Bearer wrong")
    assert (status, answer["type"]) == (401, "wrong-token")


def test_a_method_is_answered_by_a_coroutine_on_the_loop(process: Process) -> None:
    assert process.call("add", one=1, two=2) == 3
    status, problem = process.ask("POST", "/api/v1/rpc/add", {"one": "1"})
    assert (status, problem["type"]) == (422, "invalid-params")
    status, problem = process.ask("POST", "/api/v1/rpc/ad", {})
    assert (status, problem["hint"]) == (404, "did you mean 'add'?")


def test_what_python_publishes_is_told_at_once_and_again_to_who_comes_back(
    process: Process,
) -> None:
    with process.events("?topics=cup") as events:
        next(events)
        process.call("publish", topic="plate", data=[0])
        process.call("publish", topic="cup.filled", data=[1])
        event = next(events)
    assert event["event"] == "message"
    record = json.loads(event["data"])
    assert (record["topic"], record["data"]) == ("cup.filled", [1])
    process.call("publish", topic="cup.filled", data=[2])
    with process.events("?topics=cup", **{"Last-Event-ID": event["id"]}) as events:
        next(events)
        assert json.loads(next(events)["data"])["data"] == [2]


def test_status_and_events_answer_while_python_is_blocked(process: Process) -> None:
    with process.events() as events:
        next(events)
        blocked = process.send("POST", "/api/v1/rpc/block", {})
        assert json.loads(next(events)["data"])["topic"] == "blocked"

        # From here on nothing of Python runs in that process until it gets a byte.
        seconds = [process.ask("GET", "/api/v1/status")[1]["main_thread"] for _ in range(2)]
        assert seconds[1]["seconds_since_tick"] > seconds[0]["seconds_since_tick"]
        assert process.ask("GET", "/healthz") == (200, {"ok": True})
        with process.events(**{"Last-Event-ID": "0"}) as others:
            next(others)
            assert json.loads(next(others)["data"])["topic"] == "blocked"
        waiting = process.send("POST", "/api/v1/rpc/add", {"one": 1, "two": 2})

        process.write(b"x")
        assert read(blocked) == (200, "done")
        assert read(waiting) == (200, 3)


def test_a_stop_leaves_no_file_and_no_thread_behind(process: Process) -> None:
    assert process.discovery_file.stat().st_mode & 0o777 == 0o600
    process.call("leave")
    assert process.read_line() == "[]"
    assert "aiobpy-server" not in process.read_line()
    assert process.process.wait(_TIMEOUT) == 0


def test_a_method_may_stop_the_server_that_called_it(process: Process) -> None:
    status, problem = process.ask("POST", "/api/v1/rpc/stop_server", {})
    assert (status, problem["type"]) == (503, "closing")
    assert not process.discovery_file.exists()


class TestInThisProcess:
    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        monkeypatch.delenv("AIOBPY_TOKEN", raising=False)
        yield
        aiobpy.server.stop()

    @pytest.fixture
    def loop(self) -> Iterator[aiobpy.EventLoop]:
        loop = aiobpy.EventLoop()
        yield loop
        loop.close()

    def test_there_is_one_server_per_process(self, loop: aiobpy.EventLoop) -> None:
        assert aiobpy.server.current() is None
        server = aiobpy.server.start(loop=loop)
        assert aiobpy.server.current() is server
        with pytest.raises(RuntimeError, match=r"runs already, at http://127\.0\.0\.1:"):
            aiobpy.server.start(loop=loop)
        aiobpy.server.stop()
        assert aiobpy.server.current() is None
        aiobpy.server.stop()

    def test_the_port_is_that_of_the_last_time(self, loop: aiobpy.EventLoop) -> None:
        port = aiobpy.server.start(loop=loop).port
        aiobpy.server.stop()
        assert aiobpy.server.start(loop=loop).port == port

    def test_a_port_in_use_is_named_with_a_way_out(self, loop: aiobpy.EventLoop) -> None:
        port = aiobpy.server.start(loop=loop).port
        with pytest.raises(OSError, match=f"listens on port {port}.*\nhint: choose another port"):
            aiobpy.server.Server(loop, port=port)

    def test_the_token_may_be_given(
        self, loop: aiobpy.EventLoop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIOBPY_TOKEN", "from-the-environment")
        assert aiobpy.server.start(loop=loop).token == "from-the-environment"
        aiobpy.server.stop()
        assert aiobpy.server.start(loop=loop, token="from-the-caller.").token == "from-the-caller."
        aiobpy.server.stop()
        with pytest.raises(ValueError, match="a token needs 16 characters or more"):
            aiobpy.server.start(loop=loop, token="short")
        assert aiobpy.server.current() is None

    def test_events_are_checked_before_they_are_told(self, loop: aiobpy.EventLoop) -> None:
        aiobpy.publish("nobody.listens", {"to": "this"})
        aiobpy.server.start(loop=loop)
        for topic in ["", "two\nlines", "x" * 201]:
            with pytest.raises(ValueError, match="is no topic"):
                aiobpy.publish(topic)
        with pytest.raises(ValueError, match="publish where to find it instead"):
            aiobpy.publish("big", "x" * 100_000)
        with pytest.raises(TypeError):
            aiobpy.publish("odd", object())
