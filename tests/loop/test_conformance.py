"""CPython's own asyncio tests, bound to our loop: the contract, to the letter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = [
    "test_base_events",
    "test_buffered_proto",
    "test_events",
    "test_futures",
    "test_locks",
    "test_queues",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_tasks",
    "test_timeouts",
    "test_waitfor",
]
RUNNER = Path(__file__).with_name("run_conformance.py")


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_asyncio") is None,
    reason="this Python comes without its own tests (Debian's is one)",
)
@pytest.mark.parametrize("module", MODULES)
def test_cpython_asyncio(module: str) -> None:
    finished = subprocess.run(
        [sys.executable, str(RUNNER), module],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
