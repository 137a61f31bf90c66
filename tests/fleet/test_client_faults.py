"""The client against a server that is full, breaks off or has gone, by a stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy import fleet, online

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

JOB = {"id": "0197", "template": "mug", "state": "queued"}
PNG = b"\x89PNG\r\n\x1a\n...."


def answer(status: int, body: Any = None, **headers: str) -> bytes:
    """One answer of HTTP; header names have underscores for dashes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content_length": str(len(content)), **headers}
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} So\r\n{fields}\r\n".encode() + content


def events(*records: dict[str, Any], whole: bool = True) -> bytes:
    """A stream of events in chunks, one of which breaks off in the middle of a line."""
    text = "retry: 1\n: hello\n\n" + "".join(
        f"id: {record['sequence']}\nevent: {record['type']}\ndata: {json.dumps(record)}\n\n"
        for record in records
    )
    data = text.encode()
    pieces = [data[:20], data[20:]]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        + chunks
        + (b"0\r\n\r\n" if whole else b"")
    )


class StandIn:
    """Answers requests one after another with what it was told to; bytes, or None to hang up."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.reached = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()

    async def begin(self, context: ssl.SSLContext | None = None) -> int:
        """Listen on a free port, and return it."""
        self._listening = await asyncio.start_server(self.accept, "127.0.0.1", 0, ssl=context)
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    async def end(self) -> None:
        """Hang up."""
        self._listening.close()
        if self._serving:
            for task in self._serving:
                task.cancel()
            await asyncio.wait(self._serving)
        # The loop closes what was aborted.
        await asyncio.sleep(0)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._serving.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer its requests."""
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (h.partition(": ") for h in rest)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, path, _ = line.split()
            self.requests.append((f"{method} {path}", headers, json.loads(body or b"null")))
            self.reached.set()
            if not self.answers:
                # Nothing more is said until the client goes.
                await reader.read()
                return
            said = self.answers.pop(0)
            if said is None:
                return
            writer.write(said)
            await writer.drain()
            if b"chunked" in said and not said.endswith(b"0\r\n\r\n"):
                writer.close()
                await writer.wait_closed()
                return


@contextlib.asynccontextmanager
async def stand_in(*answers: bytes | None) -> AsyncIterator[tuple[StandIn, fleet.Fleet]]:
    """A server that answers so, and a client of it."""
    server = StandIn(list(answers))
    port = await server.begin()
    try:
        async with fleet.connect(f"http://127.0.0.1:{port}", token="secret", patience=5) as client:
            yield server, client
    finally:
        await server.end()


@pytest.fixture(params=["asyncio", "aiobpy"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    """Run on either loop: a shop's server has asyncio's."""
    factory = aiobpy.EventLoop if request.param == "aiobpy" else asyncio.new_event_loop

    def run_on_it(awaitable: Awaitable[None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(awaitable)  # type: ignore[arg-type]

    return run_on_it


def test_a_picture_comes_with_the_answer_to_one_request(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        picture = answer(200, PNG, content_type="image/png", location="/api/v1/jobs/0197")
        async with stand_in(picture, picture) as (server, client):
            result = await client.render("mug", colour="#d13b2a", width=64)
            assert (result.job_id, result.bytes) == ("0197", PNG)
            assert result.image == aiobpy.Image(PNG)
            saved = await client.render("mug", output=tmp_path / "mug.webp")
            assert saved.path == tmp_path / "mug.webp"
            assert saved.path.read_bytes() == saved.bytes == PNG
            assert os.listdir(tmp_path) == ["mug.webp"]
        (line, headers, body), (_, other, with_file) = server.requests
        assert line == "POST /api/v1/jobs"
        assert headers["authorization"] == "Bearer secret"
        assert headers["prefer"] == "wait=30"
        assert headers["idempotency-key"] != other["idempotency-key"]
        assert body == {
            "template": "mug",
            "params": {"colour": "#d13b2a"},
            "output": {"width": 64},
        }
        assert with_file["output"] == {"format": "webp"}

    run(main())


def test_a_full_fleet_is_asked_again_when_it_says_under_the_same_key(run: Any) -> None:
    async def main() -> None:
        full = {"type": "queue-full", "title": "Full", "status": 429, "detail": "come later"}
        async with stand_in(
            answer(429, full, retry_after="0"), None, answer(202, JOB), answer(429, full)
        ) as (server, client):
            job = await client.submit("mug", params={"output": 3})
            assert (job.id, job.state) == ("0197", "queued")
            keys = {headers["idempotency-key"] for _, headers, _ in server.requests}
            assert (len(server.requests), len(keys)) == (3, 1)
            # Without a word of when, there is no point in asking again.
            with pytest.raises(fleet.Busy, match="come later") as caught:
                await client.submit("mug")
            assert caught.value.kind == "queue-full"

    run(main())


def test_what_is_wrong_is_told_by_type(run: Any) -> None:
    def problem(status: int, kind: str, **more: Any) -> bytes:
        told = {"type": kind, "title": kind, "status": status, "detail": "so", **more}
        return answer(status, told)

    async def main() -> None:
        wrong = [{"pointer": "/params/colour", "detail": "no colour"}]
        async with stand_in(
            problem(422, "invalid-request", errors=wrong, hint="write #d13b2a"),
            problem(401, "no-token"),
            problem(404, "unknown-job"),
            answer(500, b"oops"),
        ) as (_, client):
            with pytest.raises(fleet.InvalidRequest, match="no colour") as caught:
                await client.render("mug", colour="red")
            assert caught.value.problem.errors == (("/params/colour", "no colour"),)
            assert "hint: write #d13b2a" in str(caught.value)
            with pytest.raises(fleet.NotAllowed):
                await client.workers()
            with pytest.raises(fleet.NotFound):
                await client.job("0000")
            with pytest.raises(fleet.Refused, match="the server answered 500"):
                await client.templates()

    run(main())


def test_a_job_that_fails_while_one_waits_says_so(run: Any) -> None:
    async def main() -> None:
        problem = {"type": "poison-job", "title": "Poison", "status": 500, "detail": "two workers"}
        failed = answer(500, {**problem, "crash_text": "Segm"}, location="/api/v1/jobs/0197")
        gone = {"type": "cancelled-job", "title": "Cancelled", "status": 410, "detail": "so"}
        cancelled = answer(410, gone, location="/api/v1/jobs/0198")
        async with stand_in(failed, cancelled) as (_, client):
            with pytest.raises(fleet.JobFailed, match="two workers") as caught:
                await client.render("mug")
            assert (caught.value.job_id, caught.value.problem.crash_text) == ("0197", "Segm")
            with pytest.raises(fleet.JobCancelled) as stopped:
                await client.render("mug")
            assert stopped.value.job_id == "0198"

    run(main())


def test_events_go_on_where_they_broke_off(run: Any) -> None:
    async def main() -> None:
        began = {"type": "job.started", "sequence": 7, "at": "", "worker": "1"}
        halfway = {"type": "job.progressed", "sequence": 8, "at": "", "progress": 0.5}
        ended = {"type": "job.finished", "sequence": 11, "at": ""}
        async with stand_in(
            answer(202, JOB), events(began, halfway, whole=False), None, events(ended)
        ) as (server, client):
            job = await client.submit("mug")
            story = [event async for event in job.events()]
            assert [event.type for event in story] == [
                "job.started",
                "job.progressed",
                "job.finished",
            ]
            assert [event.progress for event in story] == [None, 0.5, 1.0]
            asked = [headers.get("last-event-id") for _, headers, _ in server.requests[1:]]
            assert asked == [None, "8", "8"]

    run(main())


def test_a_batch_is_followed_until_the_last_of_its_jobs_has_ended(run: Any, tmp_path: Path) -> None:
    def batch(state: str, finished: int) -> bytes:
        counts = {"total": 4, "finished": finished}
        return answer(200, {"id": "b1", "template": "mug", "state": state, "jobs": counts})

    async def main() -> None:
        one = {"type": "job.finished", "sequence": 5, "at": "", "id": "1"}
        other = {"type": "job.failed", "sequence": 9, "at": "", "id": "2", "problem": {}}
        async with stand_in(
            batch("queued", 0), events(one), batch("running", 1), events(other), batch("failed", 3),
            batch("failed", 3), answer(200, b"PK...", content_type="application/zip"),
        ) as (server, client):  # fmt: skip
            many = await client.batch(
                "mug", frames="1-2", matrix={"colour": ("#ff0000", "#00ff00")}, text="Ada"
            )
            told: list[fleet.Event] = []
            await many.wait(on_progress=told.append)
            assert [event.sequence for event in told] == [5, 9]
            assert (many.state, many.counts["finished"], many.is_over) == ("failed", 3, True)
            result = await many.results(tmp_path / "mugs.zip")
            assert result.bytes == b"PK..."
        (line, headers, body), *rest = server.requests
        assert line == "POST /api/v1/batches"
        assert headers["idempotency-key"]
        assert body == {
            "job": {"template": "mug", "params": {"text": "Ada"}},
            "frames": "1-2",
            "matrix": {"colour": ["#ff0000", "#00ff00"]},
        }
        assert [headers.get("last-event-id") for _, headers, _ in rest] == [
            None, None, "5", None, None, None
        ]  # fmt: skip

    run(main())


def test_the_job_of_a_task_that_is_cancelled_is_cancelled_too(run: Any) -> None:
    async def main() -> None:
        async with stand_in() as (server, client):
            task = asyncio.ensure_future(client.render("mug"))
            await server.reached.wait()
            server.answers += [answer(202, JOB), answer(200, {**JOB, "state": "cancelled"})]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            lines = [line for line, _, _ in server.requests]
            # Under its key, the fleet knows which job was meant.
            assert lines == ["POST /api/v1/jobs", "POST /api/v1/jobs", "DELETE /api/v1/jobs/0197"]
            keys = {headers.get("idempotency-key") for _, headers, _ in server.requests[:2]}
            assert len(keys) == 1

    run(main())


def test_a_job_that_is_detached_goes_on(run: Any) -> None:
    async def main() -> None:
        async with stand_in() as (server, client):
            task = asyncio.ensure_future(client.render("mug", detach=True))
            await server.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(server.requests) == 1

    run(main())


def test_nobody_at_home_is_told_when_patience_is_over(run: Any) -> None:
    async def main() -> None:
        listening = await asyncio.start_server(
            lambda _reader, writer: writer.close(), "127.0.0.1", 0
        )
        port = listening.sockets[0].getsockname()[1]
        listening.close()
        await listening.wait_closed()
        async with fleet.connect(f"http://127.0.0.1:{port}", token="t", patience=0) as client:
            with pytest.raises(fleet.Unreachable, match=f"could not connect to .*:{port}"):
                await client.workers()

    run(main())


def test_no_fleet_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Any) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def main() -> None:
        with pytest.raises(fleet.Unreachable, match="start one with `aiobpy serve"):
            await fleet.render("mug")

    run(main())


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://x", "http://x/path"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a server"):
        fleet.connect(url, token="t")


def test_a_token_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIOBPY_TOKEN", raising=False)
    with pytest.raises(ValueError, match="give token=, or set AIOBPY_TOKEN"):
        fleet.connect("http://127.0.0.1:1")


def test_another_machine_is_asked_only_if_blender_may(
    monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    def refuse(host: str) -> None:
        if not online.is_this_machine(host):
            raise online.OfflineError(host)

    monkeypatch.setattr(online, "check", refuse)

    async def main() -> None:
        async with fleet.connect("http://localhost:1", token="t"):
            pass
        with pytest.raises(aiobpy.OfflineError):
            await fleet.connect("https://farm.example", token="t").__aenter__()

    run(main())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for `localhost` that has signed itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -batch"
    command += " -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


def test_a_fleet_behind_tls(run: Any, certificate: tuple[Path, Path]) -> None:
    chain, key = certificate

    async def main() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)
        server = StandIn([answer(200, {"workers": [{"id": "1"}]})])
        port = await server.begin(context)
        trusting = ssl.create_default_context(cafile=str(chain))
        url = f"https://localhost:{port}"
        async with fleet.connect(url, token="t", tls=trusting, patience=0) as client:
            assert await client.workers() == [{"id": "1"}]
        async with fleet.connect(url, token="t", patience=0) as client:
            with pytest.raises(fleet.Unreachable, match="certificate verify failed"):
                await client.workers()
        await server.end()

    run(main())
