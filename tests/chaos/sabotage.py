"""Whoever strikes a fleet while jobs flow."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.blows import Blow
    from tests.chaos.stage import Stage


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
        if not self._blows:
            return
        try:
            # Each at least once, however short the phase is.
            for blow in self._chance.sample(self._blows, len(self._blows)):
                self._stage.rest(self._pause_now())
                self._strike_with(blow)
            while not self._enough.wait(self._pause_now()):
                self._strike_with(self._chance.choice(self._blows))
        except BaseException as error:
            self.failed = error

    def _pause_now(self) -> float:
        return self._chance.expovariate(1 / self._pause)

    def _strike_with(self, blow: Blow) -> None:
        blow(self._stage, self._chance)
        self.struck[blow.__name__] = self.struck.get(blow.__name__, 0) + 1
