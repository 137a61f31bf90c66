"""(d) What the fleet adds to a job: one that does nothing, from its request to its result.

The template returns an empty document, so that all that is measured is the fleet's: the request is
checked, the job written to disk, given to a worker, its result stored, its end written, and the
result sent. Submits are counted with eight clients at once; each is on disk when it is answered. On
NATS, one server on this machine that syncs every write.

    python -m benches fleet_overhead
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benches.fleet import Fleet, address_of, wait_for_worker
from benches.machine import ROOT, percentile, print_table, verdict, write_json

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator

JOBS: Final = 400
CLIENTS: Final = 8
SECONDS: Final = 4.0
TEMPLATE: Final = '''import aiobpy


@aiobpy.template(formats=["json"], between_jobs="keep")
def nothing() -> dict[str, int]:
    """Do nothing."""
    return {}
'''
JOB: Final = {"template": "nothing", "params": {}}


def main() -> bool:
    """Measure both engines, print the table, write the JSON; return whether the goals are met."""
    figures = {}
    with serving() as fleet:
        figures["embedded"] = measure(fleet)
    with nats() as engine, serving("--engine", engine) as fleet:
        figures["nats"] = measure(fleet)
    head = ("engine", "round trip p50, ms", "p99, ms", "submits a second")
    rows = [
        (name, f"{it['p50_ms']:.2f}", f"{it['p99_ms']:.2f}", round(it["submits_per_second"]))
        for name, it in figures.items()
    ]
    print_table("(d) a job that does nothing", head, rows)
    write_json("fleet_overhead", figures)
    embedded, on_nats = figures["embedded"], figures["nats"]
    goals = [
        verdict("embedded: p50, ms", embedded["p50_ms"], 3.0, at_least=False),
        verdict("embedded: p99, ms", embedded["p99_ms"], 15.0, at_least=False),
        verdict("nats: p99, ms", on_nats["p99_ms"], 25.0, at_least=False),
        verdict("embedded: submits/s", embedded["submits_per_second"], 1000.0, at_least=True),
        verdict("nats: submits/s", on_nats["submits_per_second"], 1000.0, at_least=True),
    ]
    return all(goals)


def measure(fleet: Fleet) -> dict[str, float]:
    """Jobs one after the other, then as many submits as there can be."""
    connection = fleet.connect()
    seconds = [round_trip(fleet, connection) for _ in range(JOBS)][JOBS // 10 :]
    connection.close()
    return {
        "p50_ms": percentile(seconds, 50) * 1000,
        "p99_ms": percentile(seconds, 99) * 1000,
        "submits_per_second": submits_per_second(fleet),
    }


def round_trip(fleet: Fleet, connection: http.client.HTTPConnection) -> float:
    """Seconds from a request to its result."""
    began = time.perf_counter()
    status, _, answer = fleet.ask("POST", "/api/v1/jobs", JOB, on=connection, prefer="wait=30")
    if status != 200:
        msg = f"the job was answered with {status}: {answer.decode()}"
        raise RuntimeError(msg)
    return time.perf_counter() - began


def submits_per_second(fleet: Fleet) -> float:
    """Acknowledged jobs a second, of all clients together."""
    counts = [0] * CLIENTS
    end = time.perf_counter() + SECONDS

    def submit(place: int) -> None:
        connection = fleet.connect()
        while time.perf_counter() < end:
            status, _, _ = fleet.ask("POST", "/api/v1/jobs", JOB, on=connection)
            counts[place] += status == 202
        connection.close()

    threads = [threading.Thread(target=submit, args=(place,)) for place in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[Fleet]:
    """A fleet of one worker, in a folder of its own."""
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as folder:
        (Path(folder) / "nothing.py").write_text(TEMPLATE)
        command = [sys.executable, "-m", "aiobpy", "serve", "--max-waiting", "1000000"]
        command += ["--no-cache"]
        command += ["--templates", f"{folder}/nothing.py", "--data", f"{folder}/data", *arguments]
        environment = os.environ | {"AIOBPY_TOKEN": token, "XDG_CONFIG_HOME": folder}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                fleet = Fleet(process.pid, *address_of(process), token)
                wait_for_worker(fleet)
                yield fleet
            finally:
                # What waits is of no use to anybody.
                process.kill()


@contextlib.contextmanager
def nats() -> Iterator[str]:
    """One NATS server; its address."""
    with tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as folder:
        command = [sys.executable, "-m", "aiobpy", "engine", "start", "--nodes", "1", "--port", "0"]
        with subprocess.Popen(
            [*command, "--data", folder], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            found = re.search(r"serving (nats://\S+);", process.stdout.readline())
            if found is None:
                msg = "`aiobpy engine start` did not start"
                raise RuntimeError(msg)
            yield found[1]
            process.send_signal(signal.SIGINT)
