"""A client with an address of its own, which asks again and again until its input ends.

`python -m tests.judged.probe ADDRESS` prints how it fared, as one line of JSON.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time
from urllib.parse import urlsplit

PAUSE = 0.05
"""Seconds between two questions."""
PATIENCE = 10.0
"""Seconds until a question counts as not answered."""
ELSEWHERE = "127.0.0.2"
"""Where it asks from: the slow clients are somebody else."""


def main(address: str) -> None:
    """Ask until the input ends, and say how it went."""
    url = urlsplit(address)
    asked, answered, slowest = 0, 0, 0.0
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        asked += 1
        before = time.monotonic()
        answered += _is_answered(url.hostname or "", url.port or 80)
        slowest = max(slowest, time.monotonic() - before)
    print(json.dumps({"asked": asked, "answered": answered, "slowest": slowest}))


def _is_answered(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(
        host, port, timeout=PATIENCE, source_address=(ELSEWHERE, 0)
    )
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
