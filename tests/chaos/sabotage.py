"""What befalls a fleet while jobs flow."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.chaos.cluster import Cluster
    from tests.chaos.node import Node

    Blow = Callable[["Stage", random.Random], None]


@dataclass
class Stage:
    """All that can be struck.

    Attributes:
        nodes: Those who take jobs on and render them.
        cluster: What they share their jobs by; None for one node that has a queue of its own.
    """

    nodes: list[Node]
    cluster: Cluster | None = None

    def node(self, chance: random.Random) -> Node:
        """Return one of the nodes."""
        return chance.choice(self.nodes)


class Saboteur:
    """Strikes at random until it is told to stop.

    Args:
        stage: What is struck.
        seed: Of what is left to chance.
        blows: By what.
        pause: Seconds from one blow to the next, in the mean.

    Attributes:
        struck: How often, by the name of the blow.
    """

    def __init__(self, stage: Stage, seed: int, blows: Sequence[Blow], pause: float) -> None:
        self._stage = stage
        self._chance = random.Random(seed)
        self._blows = blows
        self._pause = pause
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._strike, daemon=True)
        self.struck: dict[str, int] = {}
        self.failed: BaseException | None = None

    def begin(self) -> None:
        """Begin to strike."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the last blow to be over.

        Raises:
            BaseException: What one of them came to.
        """
        self._enough.set()
        self._thread.join()
        if self.failed is not None:
            raise self.failed

    def _strike(self) -> None:
        try:
            while not self._enough.wait(self._chance.expovariate(1 / self._pause)):
                blow = self._chance.choice(self._blows)
                blow(self._stage, self._chance)
                self.struck[blow.__name__] = self.struck.get(blow.__name__, 0) + 1
        except BaseException as error:
            self.failed = error


def kill_a_worker(stage: Stage, chance: random.Random) -> None:
    """As the kernel does when memory runs out."""
    _send_one(stage.node(chance), chance, signal.SIGKILL)


def freeze_a_worker(stage: Stage, chance: random.Random) -> None:
    """For so long that it is given up, or nearly."""
    pid = _send_one(stage.node(chance), chance, signal.SIGSTOP)
    if pid is not None:
        threading.Event().wait(chance.uniform(0.5, 4.0))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def kill_the_server(stage: Stage, chance: random.Random) -> None:
    """As a machine that loses its power; somebody starts it again."""
    node = stage.node(chance)
    node.kill()
    threading.Event().wait(chance.uniform(0.0, 1.0))
    node.start()
    node.wait_until_ready()


def freeze_the_server(stage: Stage, chance: random.Random) -> None:
    """As a virtual machine that is moved."""
    node = stage.node(chance)
    node.process.send_signal(signal.SIGSTOP)
    threading.Event().wait(chance.uniform(0.5, 3.0))
    node.process.send_signal(signal.SIGCONT)


def fill_the_disk(stage: Stage, chance: random.Random) -> None:
    """Leave no byte where jobs are kept, for a while: a small disk of their own."""
    node = stage.node(chance)
    ballast = node.folder / "data" / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    threading.Event().wait(chance.uniform(0.5, 2.0))
    ballast.unlink(missing_ok=True)


def move_the_clock(stage: Stage, chance: random.Random) -> None:
    """By up to an hour either way: the calendar's, which libfaketime reads from a file."""
    node = stage.node(chance)
    file = clock_file(node.folder)
    file.write_text(f"{chance.randint(-3600, 3600):+d}\n")


def kill_a_nats_server(stage: Stage, chance: random.Random) -> None:
    """Perhaps the leader; the two others go on, and it comes back."""
    assert stage.cluster is not None
    place = chance.randrange(len(stage.cluster))
    stage.cluster.kill(place)
    threading.Event().wait(chance.uniform(0.0, 3.0))
    stage.cluster.start(place)


def freeze_a_nats_server(stage: Stage, chance: random.Random) -> None:
    """As one that the network has cut off, and that comes back with what it believed."""
    assert stage.cluster is not None
    place = chance.randrange(len(stage.cluster))
    stage.cluster.send(place, signal.SIGSTOP)
    threading.Event().wait(chance.uniform(0.5, 6.0))
    stage.cluster.send(place, signal.SIGCONT)


def clock_file(folder: Path) -> Path:
    """Return where a node's clock is set."""
    return folder / "clock"


def _send_one(node: Node, chance: random.Random, number: signal.Signals) -> int | None:
    pids = node.pids()
    if not pids:
        return None
    pid = chance.choice(pids)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    return pid
