"""Run one module of CPython's `test.test_asyncio` on our loop: `run_conformance.py test_tasks`.

Every test class that can be told which loop to make is told; the others obey the policy.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import unittest
from asyncio import unix_events

import aiobpy


def main(module_name: str) -> int:
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = aiobpy.EventLoop  # type: ignore[attr-defined]
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    module = importlib.import_module(f"test.test_asyncio.{module_name}")
    for value in vars(module).values():
        if isinstance(value, type) and hasattr(value, "create_event_loop"):
            value.create_event_loop = lambda _: aiobpy.EventLoop()
        if isinstance(value, type) and hasattr(value, "new_loop"):
            value.new_loop = lambda _: aiobpy.EventLoop()
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
