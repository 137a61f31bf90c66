"""What the fleet adds to a job: one that does nothing, from its request to its result.

The template returns an empty document, so that all that is measured is the fleet's: the request is
checked, the job written to disk, given to a worker, its result stored, its end written, and the
result sent. Submits are counted with eight clients at once; each is on disk when it is answered. On
NATS, one server on this machine that syncs every write.

    python -m benches fleet_overhead
"""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benches.fleet import Fleet, serving
from benches.machine import percentile
from benches.page import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS: Final = 400
CLIENTS: Final = 8
SECONDS: Final = 4.0
TEMPLATE: Final = '''import aiobpy


@aiobpy.template(formats=["json"], between_jobs="keep")
def nothing(number: int) -> dict[str, int]:
    """Do nothing; each job is another, so that no result can be remembered."""
    return {}
'''
_NUMBERS: Final = itertools.count()


def main(is_kept: bool = False) -> bool:
    """Measure both engines, print the table, write the JSON; return whether the goals are met."""
    found = Findings("fleet_overhead", is_kept)
    figures = {}
    with tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as folder:
        template = Path(folder) / "nothing.py"
        template.write_text(TEMPLATE)
        no_limit = ("--max-waiting", "1000000", "--recycle-jobs", "1000000")
        with serving([template], *no_limit) as fleet:
            figures["embedded"] = measure(fleet)
        with nats() as engine, serving([template], *no_limit, "--engine", engine) as fleet:
            figures["nats"] = measure(fleet)
    head = ("engine", "p50, ms", "p99, ms", "submits a second")
    rows = [
        (name, f"{it['p50_ms']:.2f}", f"{it['p99_ms']:.2f}", round(it["submits_per_second"]))
        for name, it in figures.items()
    ]
    found.table("a job that does nothing, from its request to its result", head, rows)
    embedded, on_nats = figures["embedded"], figures["nats"]
    found.goal("embedded: p50, ms", embedded["p50_ms"], 3.0, at_least=False)
    found.goal("embedded: p99, ms", embedded["p99_ms"], 15.0, at_least=False)
    found.goal("nats: p99, ms", on_nats["p99_ms"], 25.0, at_least=False)
    for name, it in figures.items():
        found.goal(f"{name}: submits a second", it["submits_per_second"], 1000.0, at_least=True)
    return found.close(figures)


def measure(fleet: Fleet) -> dict[str, float]:
    """Jobs one after the other, then as many submits as there can be."""
    connection = fleet.connect()
    seconds = [fleet.run("nothing", connection, number=next(_NUMBERS)) for _ in range(JOBS)][
        JOBS // 10 :
    ]
    connection.close()
    return {
        "p50_ms": percentile(seconds, 50) * 1000,
        "p99_ms": percentile(seconds, 99) * 1000,
        "submits_per_second": submits_per_second(fleet),
    }


def submits_per_second(fleet: Fleet) -> float:
    """Acknowledged jobs a second, of all clients together."""
    counts = [0] * CLIENTS
    end = time.perf_counter() + SECONDS

    def submit(place: int) -> None:
        connection = fleet.connect()
        while time.perf_counter() < end:
            job = {"template": "nothing", "params": {"number": next(_NUMBERS)}}
            status, _, _ = fleet.ask("POST", "/api/v1/jobs", job, on=connection)
            counts[place] += status == 202
        connection.close()

    threads = [threading.Thread(target=submit, args=(place,)) for place in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


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
