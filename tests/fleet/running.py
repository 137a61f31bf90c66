"""Runs what a client awaits."""

from __future__ import annotations

import asyncio
from typing import Any

import aiobpy


def run(coroutine: Any) -> Any:
    """Return what a coroutine returns, run on a loop of ours that ends with it."""
    with asyncio.Runner(loop_factory=aiobpy.EventLoop) as runner:
        return runner.run(coroutine)
