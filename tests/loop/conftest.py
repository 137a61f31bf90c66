"""What the loop's tests share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiobpy
from aiobpy.testing import FakeHost

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[FakeHost]:
    # Ample, so that a busy machine does not cut the ticks of a test short.
    with FakeHost(budget=1.0) as host:
        yield host


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=aiobpy.EventLoop) as runner:
        yield runner
