"""What "interrupt" in a notebook does.

The client asks on the control channel, which has a thread of its own, and that thread sends a
signal to the process. Python hands a signal over between two steps of the main thread, wherever
that is: this decides, there and then, whom it is for.
"""

from __future__ import annotations

import enum
import signal
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from types import FrameType

    from aiobpy.jupyter.kernel import Kernel


class Verdict(enum.Enum):
    """What an interrupt is to do."""

    RAISE = enum.auto()
    """Raise KeyboardInterrupt where the main thread is."""
    CANCEL = enum.auto()
    """Cancel the cell that awaits."""
    IGNORE = enum.auto()


def judge(frame: FrameType | None, notebook: dict[str, Any], *, awaits: bool) -> Verdict:
    """Return what an interrupt is to do.

    Args:
        frame: What the main thread runs.
        notebook: The global names of the notebook; whatever it defines has them as its own.
        awaits: A cell awaits, and was not cancelled before.
    """
    runs_notebook = runs_cell = False
    for code, names in _stack(frame):
        runs_notebook = runs_notebook or names is notebook
        # Nearer to us than the machinery of the cell is what the cell itself calls.
        runs_cell = runs_cell or (runs_notebook and code is InteractiveShell.run_code.__code__)
    if runs_cell:
        return Verdict.RAISE
    if awaits:
        return Verdict.CANCEL
    # A task or a handler that a cell has left behind, and that may never end by itself.
    return Verdict.RAISE if runs_notebook else Verdict.IGNORE


class Interrupts:
    """The interrupts of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._cancelled: asyncio.Future[Any] | None = None

    def take(self) -> None:
        """Have the interrupts of this process from now on."""
        signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, _signal: int, frame: FrameType | None) -> None:
        awaited = self._kernel.awaited
        awaits = awaited is not None and awaited is not self._cancelled
        match judge(frame, self._kernel.shell.user_global_ns, awaits=awaits):
            case Verdict.RAISE:
                raise KeyboardInterrupt
            case Verdict.CANCEL if awaited is not None:
                self._cancelled = awaited
                # The main thread is somewhere in the middle of something else.
                self._kernel.io_loop.add_callback(awaited.cancel)


def _stack(frame: FrameType | None) -> Iterator[tuple[object, object]]:
    while frame is not None:
        yield frame.f_code, frame.f_globals
        frame = frame.f_back
