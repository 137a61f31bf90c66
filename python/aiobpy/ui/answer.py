"""What a person is asked for, and who waits for it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

_tokens = itertools.count(1)


class Request:
    """Something that is answered once; a token in the operator says which.

    Attributes:
        token: No other has the same.
        answer: Is awaited.
    """

    def __init__(self) -> None:
        self.token = str(next(_tokens))
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def end(self, answer: Any) -> None:
        """Whoever awaits goes on; the first answer counts."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Whoever awaits gets an error."""
        if not self.answer.done():
            self.answer.set_exception(error)
