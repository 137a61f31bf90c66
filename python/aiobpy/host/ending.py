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

GOODBYE: Final = 2.0
"""Seconds that cancelled tasks have for their `finally` blocks, all together."""


async def end(first: Tasks, all_of_them: Callable[[], Tasks], why: str) -> None:
    """Cancel tasks and wait for their end, for 2 s at most.

    Args:
        first: Those that nobody else ends.
        all_of_them: Returns those and the others: what is left of them is cancelled after.
        why: Goes with the cancellation.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GOODBYE
    await _cancel(first, why, deadline)
    await _cancel(all_of_them(), why, deadline)


async def _cancel(tasks: Tasks, why: str, deadline: float) -> None:
    running = {task for task in tasks if not task.done()} - {asyncio.current_task()}
    for task in running:
        task.cancel(why)
    if running:
        left = deadline - asyncio.get_running_loop().time()
        await asyncio.wait(running, timeout=max(0.0, left))
