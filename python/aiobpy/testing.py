"""A host for tests: ticks by hand, with a clock that stands still until it is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiobpy.loop import DEFAULT_BUDGET, EventLoop, Tick

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from types import TracebackType

_T = TypeVar("_T")


class FakeHost:
    """The simplest possible host of a guest loop: what Blender's main loop does, without Blender.

    Timers follow the manual clock; sockets are real. Nothing here waits for time to pass.

    Attributes:
        loop: The guest.
        now: Seconds of `loop.time()`.
    """

    def __init__(self, budget: float = DEFAULT_BUDGET) -> None:
        """`budget`: seconds of real time of one tick."""
        self.loop = EventLoop()
        self.budget = budget
        self.now = 0.0
        self.loop._set_time(self.now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def tick(self) -> Tick:
        """Do what a host does once a frame."""
        return self.loop.run_ready(self.budget)

    def advance(self, seconds: float) -> None:
        """Move the clock on; what has come due runs at the next tick."""
        self.now += seconds
        self.loop._set_time(self.now)

    def spawn(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start a task; it runs from the next tick on."""
        return self.loop.create_task(coroutine)

    def tick_until(self, is_done: Callable[[], bool], patience: float = 10.0) -> None:
        """Tick, and wait for I/O between ticks, until `is_done()`.

        Raises:
            TimeoutError: Nothing became ready for `patience` seconds of real time.
        """
        while not is_done():
            if not self.tick().left and not is_done() and not self.loop._wait_for_ready(patience):
                msg = f"nothing became ready within {patience} s, and {is_done} is not yet true"
                raise TimeoutError(msg)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Tick until `coroutine` ends and return its result."""
        task = self.spawn(coroutine)
        self.tick_until(task.done)
        return task.result()

    def close(self) -> None:
        """Close the loop."""
        self.loop.close()
