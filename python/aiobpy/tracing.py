"""The place in a distributed trace of what runs just now (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import contextvars
from typing import Final

trace: Final[contextvars.ContextVar[str | None]] = contextvars.ContextVar(
    "aiobpy.web.trace", default=None
)
"""The value of a `traceparent` header for requests that are made in the name of the one that is
answered; None where no request is."""
