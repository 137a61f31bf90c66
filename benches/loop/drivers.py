"""The loops that are compared, and how a host ticks each of them.

- `kick:X`: `call_soon(stop); run_forever()` once a tick, which is what add-ons do today.
- `kb:X`: the same again and again until the budget is spent or a kick found nothing to do; stronger
  than anything that is shipped.
- `aiobpy`: `run_ready(budget)`.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

BUDGET = 0.004
IDLE_KICK = 40e-6
"""A kick that took less had nothing to do, in seconds."""

LOOPS = ("asyncio", "uvloop", "rloop", "aiobpy")
WITHOUT_TLS = ("rloop",)
KICKS = ("kick:asyncio", "kick:uvloop", "kick:rloop")
GUESTS = (*KICKS, "kb:asyncio", "kb:uvloop", "kb:rloop", "aiobpy")


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """A new event loop of this name."""
    if name == "asyncio":
        return asyncio.SelectorEventLoop()
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        msg = f"{name} is not installed; run `pip install -r requirements/bench.txt`"
        raise SystemExit(msg) from error
    make = module.EventLoop if name == "aiobpy" else module.new_event_loop
    return cast("asyncio.AbstractEventLoop", make())


def settle_allocator() -> None:
    """Have glibc keep large blocks on its heap, as it does in any program that has freed one.

    Until then a `recv` of 256 KiB, which is how asyncio and rloop read, maps and unmaps pages each
    time; that would make them look 15 µs a message slower than they are in Blender.
    """
    bytearray(16 << 20)


def new_guest(driver: str) -> tuple[asyncio.AbstractEventLoop, Callable[[], object]]:
    """The loop, and what its host calls once a frame."""
    way, _, name = driver.rpartition(":")
    loop = new_loop(name)
    if not way:
        run_ready = loop.run_ready  # type: ignore[attr-defined]
        return loop, lambda: run_ready(BUDGET)

    def kick() -> None:
        loop.call_soon(loop.stop)
        loop.run_forever()

    def kick_for_budget() -> None:
        before = time.perf_counter()
        end = before + BUDGET
        while True:
            kick()
            after = time.perf_counter()
            if after >= end or after - before < IDLE_KICK:
                return
            before = after

    return loop, kick if way == "kick" else kick_for_budget
