"""Devices that ask to be let in: a person says yes or no, in Blender or by a callback.

A device scans the QR code that Blender shows, and asks. Nothing is let in that nobody has allowed.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aiobpy import host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiobpy._native import PairingClaim

    Decision = Callable[["Applicant"], "Scope | Awaitable[Scope | None] | None"]

Scope = Literal["read", "control", "files", "exec", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "control", "files", "exec", "admin")


@dataclass(frozen=True, slots=True)
class Applicant:
    """A device that asks to be let in."""

    name: str
    """As it calls itself: anybody can claim to be anything."""
    address: str | None
    """As in `192.168.1.7`; None if it is on this computer and came by a socket of its own."""


def on_pairing(decide: Decision | None) -> None:
    """Have a function decide which devices are let in, in the place of a dialog.

    Args:
        decide: Called with an `Applicant`; returns the scope to give, or None to refuse. It may
            be a coroutine function. None for the dialog.
    """
    global _decide
    _decide = decide


def ask(claim: PairingClaim) -> None:
    """Have somebody decide. Called by the loop, in the loop."""
    task = asyncio.get_running_loop().create_task(_ask(claim), name="Pair a Device")
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _ask(claim: PairingClaim) -> None:
    applicant = Applicant(claim.name, claim.address)
    scope: Scope | None = None
    try:
        if _decide is not None:
            decided = _decide(applicant)
            scope = await decided if inspect.isawaitable(decided) else decided
        elif host.has_main_loop():
            scope = await _ask_in_a_dialog(applicant)
        else:
            _log.warning(
                "refused to let %r in: this Blender has no windows to ask in;"
                " `aiobpy.server.on_pairing` may decide instead",
                applicant.name,
            )
    finally:
        if scope is None:
            claim.refuse()
        else:
            claim.allow(scope)


async def _ask_in_a_dialog(applicant: Applicant) -> Scope | None:
    from aiobpy import ui

    place = "" if applicant.address is None else f", at {applicant.address},"
    answer = await ui.dialog(
        Allowed,
        title="Allow this device?",
        text=(
            f"\N{LEFT DOUBLE QUOTATION MARK}{applicant.name}\N{RIGHT DOUBLE QUOTATION MARK}{place}"
            " has sent the code that this Blender shows. What may it do?"
        ),
        confirm="Allow",
    )
    return None if answer is None else answer.may


@dataclass
class Allowed:
    """What a person allows a device."""

    may: Literal["read", "control", "files", "admin"] = "control"


_decide: Decision | None = None
_tasks: set[asyncio.Task[None]] = set()
"""Held here, because a loop holds its tasks weakly."""
_log = logging.getLogger(__name__)
