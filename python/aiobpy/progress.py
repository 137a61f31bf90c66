"""How far each task has come, and which have failed: what the panel and the status bar show."""

from __future__ import annotations

import collections
import contextvars
import itertools
import logging
import time
import traceback
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiobpy import explain, owners

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

_FAILURES_KEPT: Final = 20


@dataclass(slots=True, weakref_slot=True)
class Work:
    """A task that somebody started with `aiobpy.spawn`, as a person sees it.

    Attributes:
        name: What it is called.
        owner: Whose it is.
        number: No other has the same.
        began: Seconds of the monotonic clock.
        fraction: From 0 to 1; None if nobody knows.
        text: What it does just now.
        follow: Is told of the fraction and the text whenever they change, if somebody follows.
    """

    name: str
    owner: owners.Owner
    number: int = field(default_factory=itertools.count(1).__next__)
    began: float = field(default_factory=time.monotonic)
    fraction: float | None = None
    text: str = ""
    follow: Callable[[float | None, str], object] | None = None

    def seconds(self) -> float:
        """For how long it has run."""
        return time.monotonic() - self.began


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that ended with an exception that nobody awaited."""

    number: int
    name: str
    owner: str
    summary: str
    """One line: the exception."""
    text: str
    """The traceback, and what is known beside it."""
    is_told: bool = False
    """Whether the person has been told already, as by the report of an operator."""


def set_progress(fraction: float | None, text: str = "") -> None:
    """Say how far the current task has come; the panel and the status bar show it.

    In a task that another has started, this is the progress of the one that was spawned. Outside
    of one, nothing is shown.

    Args:
        fraction: From 0 to 1; None if nobody knows.
        text: What it does just now, in few words.

    Raises:
        ValueError: The fraction is not between 0 and 1.
    """
    if fraction is not None and not 0.0 <= fraction <= 1.0:
        msg = f"a task's progress is from 0 to 1, not {fraction!r}; None if nobody knows"
        raise ValueError(msg)
    if (work := _work.get()) is not None:
        work.fraction = fraction
        work.text = text
        if work.follow is not None:
            work.follow(fraction, text)


def begin(name: str, owned: owners.Owner) -> tuple[Work, contextvars.Context]:
    """Return the facts of a task to be started, and the context for it to run in."""
    work = Work(name, owned)
    context = owners.context_for(owned)
    context.run(_work.set, work)
    return work, context


def note_task(task: asyncio.Task[Any], work: Work) -> None:
    """Remember which task it became."""
    _tasks[task] = work


def under_way() -> list[tuple[asyncio.Task[Any], Work]]:
    """Return the tasks that run, the oldest first."""
    running = [(task, work) for task, work in _tasks.items() if not task.done()]
    return sorted(running, key=lambda pair: pair[1].began)


def cancel(number: int) -> bool:
    """Cancel the task of that number; return whether it still ran."""
    return any(work.number == number and task.cancel() for task, work in under_way())


def note_failure(
    task: asyncio.Task[Any], error: BaseException, *, is_told: bool = False
) -> Failure:
    """Keep what a person needs to know of a task that failed.

    Args:
        task: It.
        error: Why.
        is_told: Whether somebody else tells the person.
    """
    global _failure_count
    _failure_count += 1
    work = _tasks.get(task)
    explanation = explain.explain(error)
    text = "".join(traceback.format_exception(error))
    failure = Failure(
        number=_failure_count,
        name=work.name if work else task.get_name(),
        owner=work.owner.name if work else owners.SCRIPTS,
        summary="".join(traceback.format_exception_only(error)).strip().splitlines()[-1],
        text=f"{text}\n{explanation}\n" if explanation else text,
        is_told=is_told,
    )
    _failures.append(failure)
    return failure


def failures() -> list[Failure]:
    """Return the last failures, the newest last."""
    return list(_failures)


def forget_failures() -> None:
    """The person has seen them."""
    _failures.clear()


log = logging.getLogger("aiobpy")
_work: contextvars.ContextVar[Work | None] = contextvars.ContextVar("work", default=None)
_tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], Work] = weakref.WeakKeyDictionary()
_failures: collections.deque[Failure] = collections.deque(maxlen=_FAILURES_KEPT)
_failure_count = 0
