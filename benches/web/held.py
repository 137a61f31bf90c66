"""What our server holds: many idle clients, a flood of calls, and a Python that is busy."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from benches.web.peers import Server, command_of, load

if TYPE_CHECKING:
    from collections.abc import Sequence

SOCKETS: Final = 10_000
EVENT_STREAMS: Final = 2_000
HOLD_SECONDS: Final = 10.0
FLOOD: Final = 10_000
"""Requests at once, over as many connections."""


def measure() -> dict[str, Any]:
    """All of it, in one server after the other."""
    _allow_descriptors()
    return {"blocked": while_python_is_busy(), "idle": idle_clients(), "flood": flood()}


def while_python_is_busy() -> dict[str, Any]:
    """The latency of a route in Rust while nothing goes on, and while Python holds its lock."""
    with tempfile.TemporaryDirectory() as folder, Server.start("aiobpy", folder) as server:
        rate = ["--connections", "8", "--rate", "500"]
        idle = load("request_load", server, "/api/v1/status", [*rate, "--seconds", "5"])
        hold = f"/a/bench/hold?seconds={HOLD_SECONDS:g}"
        once = ["--connections", "1", "--rate", "1", "--seconds", "0.5"]
        holding = threading.Thread(target=load, args=("request_load", server, hold, once))
        holding.start()
        _wait_until_held(server)
        seconds = str(HOLD_SECONDS - 2)
        busy = load("request_load", server, "/api/v1/status", [*rate, "--seconds", seconds])
        holding.join()
    return {"idle": idle, "busy": busy}


def idle_clients() -> dict[str, Any]:
    """Memory, and what an idle server costs, with and without its clients."""
    with tempfile.TemporaryDirectory() as folder, Server.start("aiobpy_wide", folder) as server:
        alone = _idle_cpu(server)
        options = ["--connections", str(SOCKETS), "hold", "--events", str(EVENT_STREAMS)]
        command = command_of("websocket_load", server, "/api/v1/echo", options)
        holding = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"LOAD_TOKEN": server.token},
        )
        with holding:
            assert holding.stdout is not None
            assert holding.stdin is not None
            if not holding.stdout.readline():
                msg = "the clients could not be connected"
                raise RuntimeError(msg)
            figures = {
                "resident_mebibytes": server.resident_mebibytes(),
                "idle_cpu_alone": alone,
                "idle_cpu": _idle_cpu(server),
            }
            holding.stdin.close()
        return figures


def flood() -> dict[str, Any]:
    """How requests beyond the bound are answered, and how long a tick was meanwhile."""
    with tempfile.TemporaryDirectory() as folder, Server.start("aiobpy_wide", folder) as server:
        options = ["--connections", str(FLOOD), "--rate", str(FLOOD), "--seconds", "1"]
        return load("request_load", server, "/a/bench/typed", options)


HEAD: Final[Sequence[str]] = ("", "figure")


def lines(figures: dict[str, Any]) -> list[tuple[object, ...]]:
    """A line of the table for each figure."""
    blocked, held = figures["blocked"], figures["idle"]
    return [
        ("status, nothing else going on, p99, ms", blocked["idle"]["p99_ms"]),
        ("status, while Python holds its lock, p99, ms", blocked["busy"]["p99_ms"]),
        ("resident with all idle clients, MiB", round(held["resident_mebibytes"])),
        ("idle CPU without clients", f"{held['idle_cpu_alone']:.2%}"),
        ("idle CPU with them", f"{held['idle_cpu']:.2%}"),
        ("a flood of calls: answers", str(figures["flood"]["statuses"])),
        ("a flood of calls: p99, ms", round(figures["flood"]["p99_ms"], 1)),
    ]


def verdicts(figures: dict[str, Any]) -> list[tuple[str, bool]]:
    """Each goal in words, and whether it is met."""
    idle, busy = (figures["blocked"][key]["p99_ms"] for key in ("idle", "busy"))
    held, answers = figures["idle"], figures["flood"]["statuses"]
    mebibytes = held["resident_mebibytes"]
    more = (held["idle_cpu"] - held["idle_cpu_alone"]) * 100
    return [
        (
            f"a route in Rust while Python holds its lock: p99 {busy:.2f} ms, "
            f"{idle:.2f} ms else (≤ 2 x)",
            busy <= 2 * idle,
        ),
        (
            f"{SOCKETS:,} WebSockets and {EVENT_STREAMS:,} streams of events: "
            f"{mebibytes:.0f} MiB (< 400)",
            mebibytes < 400,
        ),
        (f"they cost an idle server {more:+.2f} percentage points (≤ 0.5)", more <= 0.5),
        (
            f"{FLOOD:,} requests at once are answered: {answers}",
            set(answers) <= {"200", "503"} and sum(answers.values()) == FLOOD,
        ),
    ]


def _wait_until_held(server: Server) -> None:
    """The status says for how long the main thread has not come by."""
    request = urllib.request.Request(f"{server.address}/api/v1/status")
    request.add_header("Authorization", f"Bearer {server.token}")
    while True:
        with urllib.request.urlopen(request) as answer:
            if json.load(answer)["main_thread"]["seconds_since_tick"] > 0.5:
                return


def _idle_cpu(server: Server) -> float:
    """The share of a core, from 0 to 1."""
    seconds = 5.0
    before = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / seconds


def _allow_descriptors() -> None:
    wanted = 2 * (SOCKETS + EVENT_STREAMS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
