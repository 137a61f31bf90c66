"""User-space instructions that an echo server spends per request, counted by valgrind's callgrind.

python -m benches.loop.instructions --mode proto --size 1024 [--loop aiobpy] [--functions]
python -m benches.loop.instructions --row call_soon [--loop aiobpy]     one of `benches.loop.micro`

For whoever makes the loop faster: unlike time, the count does not depend on what else the machine
does. What the kernel does is not in it; `strace -f -c -p PID` counts the system calls.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benches.loop import micro
from benches.loop.drivers import LOOPS, WITHOUT_TLS
from benches.loop.echo_server import MODES, port_of
from benches.loop.peer import new_certificate
from benches.machine import ROOT


def main() -> None:
    """Count, and print a line for each loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=LOOPS, action="append", help="all if none is given")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--mode", choices=MODES)
    what.add_argument("--row", choices=micro.ROWS)
    parser.add_argument("--size", type=int, default=1024, help="bytes a message")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--functions", action="store_true", help="say which functions it were")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.loop or LOOPS:
            if options.row:
                each = count_row(name, options.row, Path(folder, name))
                print(f"{name:8} {options.row}: {each:,.0f} an operation", flush=True)
                continue
            if options.mode.startswith("tls") and name in WITHOUT_TLS:
                continue
            out = Path(folder, name)
            each = count(name, options.mode, options.size, options.clients, out)
            print(f"{name:8} {options.mode} {options.size} {options.clients}: {each:,} a request")
            if options.functions:
                print(_functions(out))


def count(loop: str, mode: str, size: int, clients: int, out: Path) -> int:
    """Warm the server up, then count for two seconds; the profile is left in `out`."""
    tls = ["tls"] if mode.startswith("tls") else []
    certificate = [str(new_certificate(out.parent))] if tls else []
    tool = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    server = [sys.executable, "-m", "benches.loop.echo_server", loop, mode, *certificate]
    with subprocess.Popen(
        ["valgrind", "-q", *tool, *server], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            port = port_of(running)
            client = [sys.executable, "-m", "benches.loop.echo_client", port]
            client += [str(size), str(clients)]
            _run([*client, "0.5", *tls])
            _run(["callgrind_control", "--instr=on", str(running.pid)])
            requests = json.loads(_run([*client, "2", *tls]))["requests"]
            _run(["callgrind_control", "--instr=off", str(running.pid)])
            _run(["callgrind_control", "--dump", str(running.pid)])
        finally:
            running.kill()
    profile = Path(f"{out}.1").read_text()
    totals = sum(int(total) for total in re.findall(r"^totals: (\d+)", profile, re.MULTILINE))
    return totals // int(requests)


_OPERATIONS = (1000, 11_000)
_ROW = """
import sys
from benches.loop import micro
micro.ROWS[sys.argv[2]](micro.loop_factory(sys.argv[1])(), int(sys.argv[3]))
"""


def count_row(loop: str, row: str, out: Path) -> float:
    """Instructions that one operation more takes, those of Python's own interpreter included."""
    totals = []
    for operations in _OPERATIONS:
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        _run([*tool, sys.executable, "-c", _ROW, loop, row, str(operations)])
        found = re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)
        assert found, "callgrind ends its file with the totals"
        totals.append(int(found[1]))
    return (totals[1] - totals[0]) / (_OPERATIONS[1] - _OPERATIONS[0])


def _functions(out: Path) -> str:
    told = _run(["callgrind_annotate", "--inclusive=yes", f"{out}.1"])
    return "\n".join(told.splitlines()[20:80])


def _run(command: list[str]) -> str:
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main()
