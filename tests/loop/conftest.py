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
    with FakeHost() as host:
        yield host


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=aiobpy.EventLoop) as runner:
        yield runner
