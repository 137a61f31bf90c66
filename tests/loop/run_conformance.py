"""Run one module of CPython's own asyncio tests on one kind of loop; say what came of each test.

    python run_conformance.py --loop guest test.test_asyncio.test_tasks

The tests are those of the interpreter that runs this file, which needs nothing but `aiobpy`. The
outcome goes to standard output: one JSON object of `passed`, `failed` and `skipped`, by the name of
the test.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import importlib
import json
import sys
import unittest
from asyncio import unix_events
from typing import Any

from aiobpy.loop import EventLoop
from aiobpy.testing import GuestLoop

KINDS: dict[str, type[asyncio.AbstractEventLoop]] = {
    "alone": EventLoop,
    "guest": GuestLoop,
    "stock": asyncio.SelectorEventLoop,
}
PATIENCE = 280
"""Seconds after which a module that hangs says where."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=KINDS, required=True)
    parser.add_argument("--without", nargs="*", default=[], metavar="CLASS")
    parser.add_argument("module")
    parser.add_argument("tests", nargs="*", help="only these, as in Class.test_method")
    arguments = parser.parse_args()
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    bind(KINDS[arguments.loop])
    module = importlib.import_module(arguments.module)
    for name in arguments.without:
        vars(module).pop(name, None)
    loader = unittest.defaultTestLoader
    if arguments.tests:
        suite = loader.loadTestsFromNames(arguments.tests, module)
    else:
        suite = loader.loadTestsFromModule(module)
    # What is here by now stays: the collections between two tests need not look at it.
    gc.freeze()
    outcome = Outcome()
    suite(outcome)
    outcome.tell()
    return 0


def bind(kind: type[Any]) -> None:
    """Have whoever asks asyncio for a loop be given one of this kind."""

    class LoopUnderTest(kind):  # type: ignore[misc]
        def __init__(self, selector: Any = None) -> None:
            if kind is KINDS["stock"]:
                super().__init__(selector)
                return
            super().__init__()
            if selector is not None:
                selector.close()

    asyncio.SelectorEventLoop = LoopUnderTest
    asyncio.EventLoop = LoopUnderTest  # type: ignore[attr-defined]
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = LoopUnderTest  # type: ignore[attr-defined]


class Outcome(unittest.TestResult):
    """What came of each test, by name; of a test with parts, what came of the worst."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[str] = []

    def addSuccess(self, test: unittest.TestCase) -> None:
        """Note a test that passed."""
        self.passed.append(name_of(test))

    def stopTest(self, test: unittest.TestCase) -> None:
        """Collect what the test has left: a connection that is still open is not the next one's."""
        super().stopTest(test)
        gc.collect()

    def tell(self) -> None:
        """Print all of it."""
        failed = {name_of(test): text for test, text in self.failures + self.errors}
        failed |= {name_of(test): "an unexpected success" for test in self.unexpectedSuccesses}
        print(
            json.dumps(
                {
                    "passed": sorted(set(self.passed) - set(failed)),
                    "failed": failed,
                    "skipped": {name_of(test): reason for test, reason in self.skipped},
                }
            )
        )


def name_of(test: Any) -> str:
    # Of a test with parts, one part.
    test = getattr(test, "test_case", test)
    identity: str = test.id()
    if identity.startswith(("setUpClass (", "tearDownClass (")):
        return identity.rpartition(".")[2].rstrip(")")
    return ".".join(identity.split(".")[-2:])


if __name__ == "__main__":
    sys.exit(main())
