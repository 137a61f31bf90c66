"""One cell of a loop that stands alone: an echo server, and what a request costs it.

python -m benches.loop.alone --loop aiobpy --mode proto --size 1024 --clients 3

On a machine of few cores the clients are the limit of requests a second, so that what is ranked is
the processor time of the server, all its threads, per request.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benches.loop.drivers import LOOPS
from benches.loop.echo_server import MODES, port_of
from benches.loop.peer import new_certificate
from benches.machine import ROOT

KIBIBYTE = 1024
ALL_SIZES = (KIBIBYTE, 10 * KIBIBYTE, 100 * KIBIBYTE)
MATRIX: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = (
    ("sockets", ALL_SIZES, (1, 3)),
    ("streams", ALL_SIZES, (1, 3)),
    ("proto", ALL_SIZES, (1, 3)),
    ("buffered", ALL_SIZES, (1, 3)),
    ("tls-streams", (KIBIBYTE, 100 * KIBIBYTE), (1,)),
    ("tls-proto", (KIBIBYTE, 100 * KIBIBYTE), (1,)),
)
"""Mode, bytes a message and clients."""


def main() -> None:
    """Measure, and print the result as JSON; without a loop, of each in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=LOOPS, action="append", help="all if none is given")
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--size", type=int, default=1024, help="bytes a message")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        certificate = new_certificate(Path(folder))
        for _ in range(options.rounds):
            for name in options.loop or LOOPS:
                if name == "rloop" and options.mode.startswith("tls"):
                    continue
                result = measure(
                    name, options.mode, options.size, options.clients, options.seconds, certificate
                )
                print(f"{name:8}", json.dumps(result), flush=True)


def measure(
    name: str, mode: str, size: int, clients: int, seconds: float, certificate: Path
) -> dict[str, Any]:
    """Start a server and its clients."""
    tls = [str(certificate)] if mode.startswith("tls") else []
    command = [sys.executable, "-m", "benches.loop.echo_server", name, mode, *tls]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = port_of(server)
            command = [sys.executable, "-m", "benches.loop.echo_client", port, str(size)]
            command += [str(clients), str(seconds), *(["tls"] if tls else [])]
            before = _core_seconds(server.pid)
            # A server that stopped answering is an error, not a row.
            client = subprocess.run(
                command,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
                timeout=seconds + 20,
            )
            used = _core_seconds(server.pid) - before
        finally:
            server.kill()
    result: dict[str, Any] = json.loads(client.stdout)
    result["server_us_per_request"] = round(used * 1e6 / result["requests"], 2)
    return result


def _core_seconds(pid: int) -> float:
    """What all threads of a process have used, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


if __name__ == "__main__":
    main()
