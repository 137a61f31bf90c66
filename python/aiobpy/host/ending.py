"""Ends tasks in good order: those that have started others first, for these end theirs themselves.

Who is cancelled twice, by its task group and by us, has the `await` in its `finally` block cut
short.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Tasks = Iterable[asyncio.Task[Any]]
    Running = set[asyncio.Task[Any]]

GOODBYE: Final = 2.0
"""Seconds that cancelled tasks have for their `finally` blocks, all together."""


def cancel(tasks: Tasks, why: str) -> Running:
    """Cancel those that run, but for the one that calls; return them.

    Args:
        tasks: Tasks of the shared loop.
        why: Goes with the cancellation.
    """
    caller = asyncio.current_task() if asyncio._get_running_loop() else None
    running = {task for task in tasks if not task.done() and task is not caller}
    for task in running:
        task.cancel(why)
    return running


async def wait(first: Running, all_of_them: Callable[[], Tasks], why: str) -> None:
    """Wait for the end of tasks, for 2 s at most.

    Args:
        first: Those that nobody else ends; they have been cancelled.
        all_of_them: Returns those and the others: what is left of them is cancelled after.
        why: Goes with the cancellation.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GOODBYE
    if first:
        await asyncio.wait(first, timeout=GOODBYE)
    if rest := cancel(set(all_of_them()) - first, why):
        await asyncio.wait(rest, timeout=max(0.0, deadline - loop.time()))
