"""What the fleet holds in memory: offered three times what it can do, and after a thousand jobs.

*Overload.* A server with one worker, whose jobs wait for a while as for a graphics card, and room
for four that wait. First one client after the other is served: that is the time of a job by itself.
Then three times as many jobs are offered as can be done, by clients that come again when they are
told to. The server's memory must not grow meanwhile; jobs that are accepted must take as long as by
themselves, once they have begun; and who comes again when told must find a place about then.

*A thousand jobs* on one warm worker: product pictures, whose worker's memory is looked at after
each; then jobs that leak, with a limit at which the worker makes room for a fresh one. None fails.

    python -m benches fleet_memory
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benches.fleet import Fleet, serving, serving_the_product
from benches.machine import percentile
from benches.page import Findings

if TYPE_CHECKING:
    import http.client

JOB_SECONDS: Final = 0.25
CLIENTS: Final = 12
"""With one worker and four that may wait, three times what there is room for."""
ALONE: Final = 40
OVERLOAD_SECONDS: Final = 40.0
JOBS: Final = 1000
LEAK_MIB: Final = 4
LIMIT_MIB: Final = 1000
"""Of a worker's memory; it begins with less than half of it."""
MIB: Final = 1 << 20
WAIT: Final = '''import time

import aiobpy


@aiobpy.template(formats=["json"], between_jobs="keep")
def wait(number: int, seconds: float) -> dict[str, int]:
    """Compute nothing for a while."""
    time.sleep(seconds)
    return {"number": number}
'''
LEAK: Final = '''import aiobpy

kept = []


@aiobpy.template(formats=["json"], between_jobs="keep")
def leak(number: int, mebibytes: int) -> dict[str, int]:
    """Keep more and more."""
    kept.append(bytearray(b"x") * (mebibytes << 20))
    return {"number": number}
'''


def main(is_kept: bool = False) -> bool:
    """Measure all, print the tables; return whether the goals are met."""
    found = Findings("fleet_memory", is_kept)
    with tempfile.TemporaryDirectory(prefix="aiobpy-bench-") as folder:
        waiting, leaky = Path(folder) / "wait.py", Path(folder) / "leak.py"
        waiting.write_text(WAIT)
        leaky.write_text(LEAK)
        with serving([waiting], "--max-waiting", "4") as fleet:
            overload = overloaded(fleet)
        limit = ("--recycle-mib", str(LIMIT_MIB), "--recycle-jobs", "1000000")
        with serving_the_product(*limit) as fleet:
            pictures = thousand(fleet, picture)
        with serving([leaky], *limit) as fleet:
            leaks = thousand(fleet, leaking)
    tell_overload(found, overload)
    tell_thousands(found, pictures, leaks)
    return found.close({"overload": overload, "pictures": pictures, "leaks": leaks})


def overloaded(fleet: Fleet) -> dict[str, Any]:
    """Jobs one after the other, then three times as many as there is room for."""
    connection = fleet.connect()
    alone = [run(fleet, connection, number) for number in range(ALONE)]
    connection.close()
    resident = [resident_bytes(fleet.pid)]
    ended = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, fleet, place, ended) for place in range(CLIENTS)]
        end = time.monotonic() + OVERLOAD_SECONDS
        while (left := end - time.monotonic()) > 0:
            ended.wait(min(0.5, left))
            resident.append(resident_bytes(fleet.pid))
        ended.set()
        served = [one.result() for one in clients]
    seconds = [it for one in served for it in one["seconds"]]
    ratios = sorted(it for one in served for it in one["ratios"])
    settled = resident[len(resident) // 4]
    return {
        "alone_p99_ms": percentile(alone, 99) * 1000,
        "p50_ms": percentile(seconds, 50) * 1000,
        "p99_ms": percentile(seconds, 99) * 1000,
        "accepted": len(seconds),
        "refused": sum(one["refused"] for one in served),
        "resident_mib": [round(it / MIB, 1) for it in resident],
        "grown_mib": (max(resident[len(resident) // 4 :]) - settled) / MIB,
        "retry_after_ratios": ratios,
        "retry_after_right": sum(0.5 <= it <= 2.0 for it in ratios) / max(1, len(ratios)),
    }


def client(fleet: Fleet, place: int, ended: threading.Event) -> dict[str, Any]:
    """Have one job done after the other, and come again when told to."""
    seconds: list[float] = []
    ratios: list[float] = []
    refused, number = 0, (place + 1) * 1_000_000
    connection = fleet.connect()
    told, since = 0.0, time.monotonic()
    while not ended.is_set():
        # The same one until it has a place.
        job = {"template": "wait", "params": {"number": number, "seconds": JOB_SECONDS}}
        status, headers, answer = fleet.ask("POST", "/api/v1/jobs", job, on=connection)
        if status == 202:
            if told:
                ratios.append((time.monotonic() - since) / told)
            seconds.append(seconds_of(fleet, json.loads(answer)["id"]))
            told, since = 0.0, time.monotonic()
            number += 1
            continue
        if status != 429:
            raise RuntimeError(f"the job was answered with {status}: {answer.decode()}")
        refused += 1
        wait = float(headers["retry-after"])
        told = told or wait
        ended.wait(wait)
    connection.close()
    return {"seconds": seconds, "ratios": ratios, "refused": refused}


def run(fleet: Fleet, connection: http.client.HTTPConnection, number: int) -> float:
    """Have a job done with nothing else to do; return the seconds from its begin to its end."""
    job = {"template": "wait", "params": {"number": number, "seconds": JOB_SECONDS}}
    status, _, answer = fleet.ask("POST", "/api/v1/jobs", job, on=connection)
    if status != 202:
        raise RuntimeError(f"the job was answered with {status}: {answer.decode()}")
    return seconds_of(fleet, json.loads(answer)["id"])


def seconds_of(fleet: Fleet, job: str) -> float:
    """Follow a job to its end; return the seconds from its begin to its end."""
    connection = fleet.connect()
    headers = {"Authorization": f"Bearer {fleet.token}"}
    connection.request("GET", f"/api/v1/jobs/{job}/events", headers=headers)
    begun = 0.0
    for line in connection.getresponse():
        if line == b"event: job.started\n":
            begun = time.perf_counter()
        elif line.startswith(b"event: job.f"):
            break
    connection.close()
    return time.perf_counter() - begun


def thousand(fleet: Fleet, job: Any) -> dict[str, Any]:
    """A thousand jobs one after the other; what the worker held after each, and what failed."""
    connection = fleet.connect()
    held: list[int] = []
    workers: set[int] = set()
    failed = 0
    began = time.perf_counter()
    for number in range(JOBS):
        status, _, _ = fleet.ask(
            "POST", "/api/v1/jobs", job(number), on=connection, prefer="wait=60"
        )
        failed += status != 200
        worker = fleet.get("/api/v1/workers")["workers"][0]
        if worker["pid"]:
            workers.add(worker["pid"])
            held.append(resident_bytes(worker["pid"]))
    connection.close()
    return {
        "jobs": JOBS,
        "failed": failed,
        "seconds": time.perf_counter() - began,
        "workers": len(workers),
        "first_mib": held[0] / MIB,
        "last_mib": held[-1] / MIB,
        "most_mib": max(held) / MIB,
    }


def picture(number: int) -> dict[str, Any]:
    """A small product picture, each another."""
    output = {"width": 64, "height": 64, "samples": 1}
    return {"template": "mug", "params": {"text": f"MUG {number}"}, "output": output}


def leaking(number: int) -> dict[str, Any]:
    """A job that keeps some memory."""
    return {"template": "leak", "params": {"number": number, "mebibytes": LEAK_MIB}}


def resident_bytes(pid: int) -> int:
    """What a process holds in memory; 0 if it has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
    return pages * 4096


def tell_overload(found: Findings, it: dict[str, Any]) -> None:
    """Its table and goals."""
    resident = it["resident_mib"]
    rows = [
        ("a job by itself, p99, ms", f"{it['alone_p99_ms']:.0f}"),
        ("an accepted job once it has begun, p50, ms", f"{it['p50_ms']:.0f}"),
        ("p99, ms", f"{it['p99_ms']:.0f}"),
        ("accepted", it["accepted"]),
        ("sent away with 429", it["refused"]),
        ("server's memory before and after, MiB", f"{resident[0]:.1f}, {resident[-1]:.1f}"),
        ("`Retry-After` right within a factor of 2", f"{it['retry_after_right']:.0%}"),
    ]
    found.table("three times the capacity offered", ("what", "figure"), rows)
    found.goal("memory grown under load, MiB", it["grown_mib"], 2.0, at_least=False)
    slower = it["p99_ms"] / it["alone_p99_ms"]
    found.goal("accepted jobs' p99, times that of one by itself", slower, 1.1, at_least=False)
    right = it["retry_after_right"]
    found.goal("`Retry-After` right within a factor of 2, share", right, 0.9, at_least=True)


def tell_thousands(found: Findings, pictures: dict[str, Any], leaks: dict[str, Any]) -> None:
    """Their table and goals."""
    head = ("jobs on a warm worker", "failed", "workers", "first, MiB", "last", "most", "jobs/s")
    named = (("product pictures", pictures), (f"jobs that leak {LEAK_MIB} MiB", leaks))
    rows = [
        (
            f"{it['jobs']:,} {name}",
            *(it["failed"], it["workers"]),
            *(f"{it[key]:.0f}" for key in ("first_mib", "last_mib", "most_mib")),
            f"{it['jobs'] / it['seconds']:.1f}",
        )
        for name, it in named
    ]
    found.table(f"memory of a worker (limit: {LIMIT_MIB} MiB)", head, rows)
    failed = pictures["failed"] + leaks["failed"]
    found.goal("jobs failed by recycling", failed, 0, at_least=False)
    # It is looked at between jobs, so that one job may pass it.
    most = max(pictures["most_mib"], leaks["most_mib"])
    found.goal("most of a worker, MiB", most, LIMIT_MIB + LEAK_MIB + 16, at_least=False)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
