"""Clients that send each job until it is acknowledged, some of them twice, some without waiting."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.chaos.node import Node

_OUTPUT: Final = {"width": 4, "height": 4, "samples": 1, "format": "png"}
_THREADS: Final = 8
_AGAIN: Final = 0.05
"""The share of requests that are sent a second time though they were answered."""
_HASTY: Final = 0.1
"""The share of clients that hang up while they wait for the picture."""
_SLOW: Final = 0.03
"""The share of jobs that take a second."""


@dataclass
class Ledger:
    """What was acknowledged, and how long that took.

    Attributes:
        jobs: The number that each job is to show, by its id.
        unruly: The ids of jobs that misbehave.
        slowest: Seconds from the first try to the acknowledgement, at most.
        longest_pause: Seconds in which nothing at all was acknowledged, at most.
        refused: Answers of 429.
        gone: Clients that hung up while they waited.
        again: Requests that were sent again though they had been answered.
    """

    jobs: dict[str, int] = field(default_factory=dict)
    unruly: set[str] = field(default_factory=set)
    slowest: float = 0.0
    longest_pause: float = 0.0
    refused: int = 0
    gone: int = 0
    again: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    _last: float = field(default_factory=time.monotonic)

    def acknowledge(self, asked: float) -> None:
        """Note that a request of that time was acknowledged now."""
        now = time.monotonic()
        with self.lock:
            self.slowest = max(self.slowest, now - asked)
            self.longest_pause = max(self.longest_pause, now - self._last)
            self._last = now


class Clients:
    """Threads that submit the numbers of a range.

    Args:
        nodes: Any of them is asked.
        ledger: Where they note what was acknowledged.
        seed: Of all that is left to chance.
        rate: Jobs a second, of all clients together.
    """

    def __init__(self, nodes: Sequence[Node], ledger: Ledger, seed: int, rate: float) -> None:
        self._nodes = nodes
        self._ledger = ledger
        self._seed = seed
        self._rate = rate
        self._threads: list[threading.Thread] = []
        self._failed: list[BaseException] = []
        self._enough = threading.Event()

    def begin(self, numbers: range, unruly: Sequence[str] = ()) -> None:
        """Begin to submit the numbers, and jobs that misbehave in these ways among them."""
        for place in range(_THREADS):
            share = numbers[place::_THREADS]
            bad = unruly[place::_THREADS]
            thread = threading.Thread(target=self._submit_all, args=(share, bad), daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self, tell: Callable[[], None]) -> None:
        """Wait until all is acknowledged.

        Args:
            tell: Called every ten seconds meanwhile.

        Raises:
            AssertionError: A request was answered as it must not be.
        """
        for thread in self._threads:
            while thread.is_alive():
                thread.join(10)
                if thread.is_alive():
                    tell()
        self._threads.clear()
        if self._failed:
            raise self._failed[0]

    def _submit_all(self, numbers: Sequence[int], unruly: Sequence[str]) -> None:
        chance = random.Random(f"{self._seed}{numbers!r}")
        try:
            every = max(1, len(numbers) // (len(unruly) + 1))
            left = list(unruly)
            for place, number in enumerate(numbers):
                # Clients that come when they come, unless one of them has failed.
                if self._enough.wait(chance.expovariate(self._rate / _THREADS)):
                    return
                self._submit(chance, number)
                if left and place % every == every - 1:
                    self._submit_unruly(chance, left.pop())
        except BaseException as error:
            self._failed.append(error)
            self._enough.set()

    def _submit(self, chance: random.Random, number: int) -> None:
        how = "slow" if chance.random() < _SLOW else "well"
        job = {
            "template": "numbered",
            "params": {"number": number, "how": how},
            "output": _OUTPUT,
        }
        identity = self._until_acknowledged(chance, job, f"{self._seed}-{number}")
        with self._ledger.lock:
            assert self._ledger.jobs.setdefault(identity, number) == number, "an id of two jobs"
        if chance.random() < _AGAIN:
            with self._ledger.lock:
                self._ledger.again += 1
            again = self._until_acknowledged(chance, job, f"{self._seed}-{number}")
            assert again == identity, f"{number} was taken on twice: {identity} and {again}"

    def _submit_unruly(self, chance: random.Random, how: str) -> None:
        job = {"template": "numbered", "params": {"how": how}, "output": _OUTPUT}
        key = f"{self._seed}-{how}-{chance.random()}"
        identity = self._until_acknowledged(chance, job, key)
        with self._ledger.lock:
            self._ledger.unruly.add(identity)

    def _until_acknowledged(self, chance: random.Random, job: Any, key: str) -> str:
        began = time.monotonic()
        while not self._enough.is_set():
            node = chance.choice(self._nodes)
            status, answer = self._ask(node, chance, job, key)
            if status == 202:
                self._ledger.acknowledge(began)
                identity: str = json.loads(answer)["id"]
                return identity
            if status == 429 or status >= 500:
                # Full, or on its way down; the same request is good later.
                with self._ledger.lock:
                    self._ledger.refused += status == 429
                self._enough.wait(chance.uniform(0.05, 0.5))
            # Else it was the picture itself, or the problem that the job has ended with, or nothing
            # came: asked again by its key, the job is acknowledged.
        raise InterruptedError("another client has failed")

    def _ask(self, node: Node, chance: random.Random, job: Any, key: str) -> tuple[int, bytes]:
        """Send a job once; return the status and the body, or 0 if there was no whole answer."""
        headers = {"Idempotency-Key": key}
        seconds = 30.0
        is_hasty = chance.random() < _HASTY
        if is_hasty:
            # Gone before the picture is there, and perhaps before the job is.
            headers["Prefer"] = "wait=20"
            seconds = chance.uniform(0.001, 0.2)
        try:
            return node.ask("POST", "/api/v1/jobs", job, seconds=seconds, headers=headers)
        except OSError:
            with self._ledger.lock:
                self._ledger.gone += is_hasty
            # Perhaps it is down, and somebody is about to start it.
            node.up.wait(1)
            return 0, b""
