"""What a test expects to be refused."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aiobpy.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class Refused:
    """The problem that was raised."""

    problem: Problem

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong, by JSON pointer."""
        return dict(self.problem.errors)

    @property
    def hint(self) -> str:
        """What it says to do next."""
        return self.problem.hint or ""


@contextlib.contextmanager
def refused(*statuses: int) -> Iterator[Refused]:
    """Expect a problem with one of some statuses."""
    told = Refused()
    raised: Problem | None = None
    try:
        yield told
    except Problem as problem:
        raised = problem
    assert raised is not None, f"nothing was refused with {statuses}"
    assert raised.status in statuses, raised.to_json()
    told.problem = raised
