"""Clients that send each job until it is acknowledged, some of them twice, some without waiting."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.node import Node

_OUTPUT: Final = {"width": 4, "height": 4, "samples": 1, "format": "png"}
_THREADS: Final = 8
_AGAIN: Final = 0.05
"""The share of requests that are sent a second time though they were answered."""
_HASTY: Final = 0.1
"""The share of clients that hang up while they wait for the picture."""


@dataclass
class Ledger:
    """What was acknowledged, and how long that took.

    Attributes:
        jobs: The number that each job is to show, by its id.
        unruly: The ids of jobs that misbehave.
        slowest: Seconds from the first try to the acknowledgement, at most.
        refused: Answers of 429, each with what `Retry-After` said.
    """

    jobs: dict[str, int] = field(default_factory=dict)
    unruly: set[str] = field(default_factory=set)
    slowest: float = 0.0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


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

    def begin(self, numbers: range, unruly: Sequence[str] = ()) -> None:
        """Begin to submit the numbers, and jobs that misbehave in these ways among them."""
        for place in range(_THREADS):
            share = numbers[place::_THREADS]
            bad = unruly[place::_THREADS]
            thread = threading.Thread(target=self._submit_all, args=(share, bad), daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Wait until all is acknowledged.

        Raises:
            AssertionError: A request was answered as it must not be.
        """
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._failed:
            raise self._failed[0]

    def _submit_all(self, numbers: Sequence[int], unruly: Sequence[str]) -> None:
        chance = random.Random(f"{self._seed}{numbers!r}")
        try:
            every = max(1, len(numbers) // (len(unruly) + 1))
            left = list(unruly)
            for place, number in enumerate(numbers):
                pause = chance.expovariate(self._rate / _THREADS)
                time.sleep(pause)  # under test: clients that come when they come
                self._submit(chance, number)
                if left and place % every == every - 1:
                    self._submit_unruly(chance, left.pop())
        except BaseException as error:
            self._failed.append(error)

    def _submit(self, chance: random.Random, number: int) -> None:
        job = {"template": "numbered", "params": {"number": number}, "output": _OUTPUT}
        identity = self._until_acknowledged(chance, job, f"{self._seed}-{number}")
        with self._ledger.lock:
            assert self._ledger.jobs.setdefault(identity, number) == number, "an id of two jobs"
        if chance.random() < _AGAIN:
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
        while True:
            node = chance.choice(self._nodes)
            headers = {"Idempotency-Key": key}
            seconds = 30.0
            if chance.random() < _HASTY:
                # Gone before the picture is there, and perhaps before the job is.
                headers["Prefer"] = "wait=20"
                seconds = chance.uniform(0.001, 0.2)
            try:
                status, answer = node.ask(
                    "POST", "/api/v1/jobs", job, seconds=seconds, headers=headers
                )
            except OSError:
                continue
            if status in {429, 503, 504}:
                # Full, or on its way down; the same request is good later.
                with self._ledger.lock:
                    self._ledger.refused += status == 429
                chance_of_rest(chance)
                continue
            if status == 202:
                with self._ledger.lock:
                    self._ledger.slowest = max(self._ledger.slowest, time.monotonic() - began)
                identity: str = json.loads(answer)["id"]
                return identity
            # The picture itself, or the problem that the job has ended with: ask by the key again.
            with contextlib.suppress(OSError):
                status, answer = node.ask(
                    "POST", "/api/v1/jobs", job, headers={"Idempotency-Key": key}
                )
            assert status == 202, (status, answer[:500])


def chance_of_rest(chance: random.Random) -> None:
    """Wait as a polite client does."""
    time.sleep(chance.uniform(0.05, 0.5))  # under test: a client that tries again later
