"""How fast `/api/v1/status` is answered while the worker renders for 20 seconds.

A new connection for every other request, the rest on one that is kept: what a dashboard and a load
balancer do. The worker uses every core that there is; the server has to get in between.

    python -m benches status_latency
"""

from __future__ import annotations

import json
import sys
import time

from benches.fleet import Fleet, serving_the_product
from benches.machine import ForeignLoad, spread
from benches.page import Findings

GOAL_MS = 50.0
SECONDS = 20.0
INTERVAL = 0.02


def main(is_kept: bool = False) -> bool:
    """Render, ask, print the table, write the JSON; return whether the goal is met."""
    found = Findings("status_latency", is_kept)
    with serving_the_product() as fleet:
        job = start_long_job(fleet)
        with ForeignLoad(also=[fleet.pid]) as load:
            seconds, busy = ask_for_status(fleet)
        at_end = fleet.get(job)["state"]
        fleet.ask("DELETE", job)
    if at_end != "running" or busy < len(seconds["kept"]):
        msg = f"the worker did not render all the time: the job is {at_end} at the end"
        raise RuntimeError(msg)
    every = seconds["kept"] + seconds["new"]
    rows = [
        (name, len(values), *(f"{value:.2f}" for value in spread(values).values()))
        for name, values in (
            ("kept connection", seconds["kept"]),
            ("new connection", seconds["new"]),
        )
    ]
    rows.append(("all", len(every), *(f"{value:.2f}" for value in spread(every).values())))
    head = ("GET /api/v1/status", "requests", "p50 ms", "p99", "max")
    title = f"While a worker renders on all cores (foreign cores: {load.cores:.2f})"
    found.table(title, head, rows)
    result = {
        "seconds": SECONDS,
        "requests": len(every),
        "all": spread(every),
        "kept_connection": spread(seconds["kept"]),
        "new_connection": spread(seconds["new"]),
        "foreign_cores": load.cores,
        "goal_p99_ms": GOAL_MS,
    }
    found.goal("status: p99, ms", spread(every)["p99_ms"], GOAL_MS, at_least=False)
    return found.close(result)


def start_long_job(fleet: Fleet) -> str:
    """Post a picture that takes minutes; return its address once it is being rendered."""
    request = {"template": "mug", "output": {"width": 1600, "height": 1600, "samples": 4096}}
    status, headers, body = fleet.ask("POST", "/api/v1/jobs", request)
    if status != 202:
        msg = f"the job was answered with {status}: {body.decode()}"
        raise RuntimeError(msg)
    job = headers["location"]
    while fleet.get(job)["progress"] == 0.0:
        time.sleep(0.05)
    return job


def ask_for_status(fleet: Fleet) -> tuple[dict[str, list[float]], int]:
    """Ask at a steady rate; return the latencies, and how often the worker was busy."""
    seconds: dict[str, list[float]] = {"kept": [], "new": []}
    busy = 0
    kept = fleet.connect()
    began = time.perf_counter()
    for index in range(int(SECONDS / INTERVAL)):
        time.sleep(max(0.0, began + index * INTERVAL - time.perf_counter()))
        way = "new" if index % 2 else "kept"
        asked = time.perf_counter()
        status, _headers, body = fleet.ask(
            "GET", "/api/v1/status", on=kept if way == "kept" else None
        )
        seconds[way].append(time.perf_counter() - asked)
        if status != 200:
            msg = f"the status was answered with {status}: {body.decode()}"
            raise RuntimeError(msg)
        busy += any(worker["state"] == "busy" for worker in json.loads(body)["workers"])
    kept.close()
    return seconds, busy


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
