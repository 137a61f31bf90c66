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


class GuestLoop(EventLoop):
    """An event loop that is always a guest, also where a program runs it itself.

    `run_forever` and `run_until_complete` are a host here: one that ticks when something is ready,
    and waits in between. Give it to `asyncio.Runner(loop_factory=GuestLoop)`, to a test framework
    or to `asyncio.set_event_loop_policy`, and a program's own tests show how it fares in ticks.

    Attributes:
        budget: Seconds of one tick; with 0, a tick runs one callback.
    """

    budget = DEFAULT_BUDGET
    _is_to_stop = False

    def run_forever(self) -> None:
        """Tick until `stop()` is called."""
        self._check_may_run()
        try:
            with self._signals_end_the_wait():
                self._tick_until_stopped()
        finally:
            self._is_to_stop = False

    def _tick_until_stopped(self) -> None:
        while True:
            tick = self.run_ready(self.budget)
            if self._is_to_stop:
                return
            if not tick.left:
                self._wait_for_ready(tick.next_due and max(0.0, tick.next_due - self.time()))

    def stop(self) -> None:
        """End the tick with the present turn, and then `run_forever`."""
        self._is_to_stop = True
        super().stop()
