"""Starts, stops and describes what the panel shows: the loop and the web server of this Blender."""

import json
import os
from dataclasses import dataclass
from typing import Final

import aiobpy.host
import aiobpy.server
from aiobpy import roots

BUSY_SHARE: Final = 0.25
"""A loop that takes more than this share of the main thread is worth a warning."""


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """What the loop has counted since it was made. Times are in seconds."""

    visits: int
    """How often Blender has called."""
    callbacks: int
    seconds_in_callbacks: float
    overruns: int
    worst_lateness: float
    """The longest that Blender has stayed away."""
    slowest: tuple[str, float] | None
    """The callback that took longest, by name, and how long it took."""


def start(budget_seconds: float, *, keeps_frame_rate: bool) -> None:
    """Let Blender's main loop drive ours; where there is none, as in `blender -b`, do nothing.

    Args:
        budget_seconds: How long one tick may run callbacks.
        keeps_frame_rate: Whether it may run them for less while Blender draws for somebody.
    """
    if not aiobpy.host.has_main_loop():
        return
    host = aiobpy.host.gui_host()
    host.budget = budget_seconds
    host.keeps_frame_rate = keeps_frame_rate
    host.start()


def stop() -> None:
    """Stop the server and the loop; their threads have ended when this returns."""
    stop_server()
    aiobpy.host.shut_down()


def set_budget(seconds: float) -> None:
    """Change how long one tick may run callbacks."""
    if aiobpy.host.has_main_loop():
        aiobpy.host.gui_host().budget = seconds


def set_keeps_frame_rate(keeps: bool) -> None:
    """Change whether callbacks give way while Blender draws for somebody."""
    if aiobpy.host.has_main_loop():
        aiobpy.host.gui_host().keeps_frame_rate = keeps


def loop_facts() -> LoopFacts | None:
    """What the loop has counted; `None` while Blender does not drive it."""
    if not aiobpy.host.has_main_loop() or not aiobpy.host.gui_host().is_running():
        return None
    status = json.loads(aiobpy.host.loop()._status())
    slowest = status["slowest"]
    return LoopFacts(
        visits=aiobpy.host.gui_host().visits,
        callbacks=status["callbacks"],
        seconds_in_callbacks=status["seconds_in_callbacks"],
        overruns=status["overruns"],
        worst_lateness=aiobpy.host.gui_host().lateness.worst,
        slowest=(slowest[0]["name"], slowest[0]["seconds"]) if slowest else None,
    )


def server() -> aiobpy.server.Server | None:
    """The web server of this Blender, if it is on."""
    return aiobpy.server.current()


def start_server(*, allows_exec: bool = False) -> aiobpy.server.Server:
    """Switch the web server on.

    Args:
        allows_exec: Whether programs may run Python.

    Raises:
        Exception: It cannot listen; the text says why and what to do next.
    """
    return aiobpy.server.start(exec=allows_exec)


def allow_files(folders: list[str]) -> None:
    """Let clients with the scope `files` name files in these folders, and in no others.

    What is no absolute path is left out: a person may still be typing it.
    """
    roots.allow([folder for folder in folders if os.path.isabs(folder)])


def share() -> None:
    """Let devices on the network reach the web server.

    Raises:
        Exception: There is no network, or Blender may not go online; the text says so.
    """
    aiobpy.server.share()


def unshare() -> None:
    """Serve this computer alone again."""
    aiobpy.server.unshare()


def pair() -> aiobpy.server.QrCode:
    """Make a code that lets one device ask to be let in."""
    return aiobpy.server.pair()


def devices() -> list[aiobpy.server.Device]:
    """The devices that were paired, the last one first."""
    return aiobpy.server.devices()


def revoke(device: str) -> bool:
    """Let a device in no more; return whether there was one.

    Raises:
        OSError: The list of devices cannot be written.
    """
    return aiobpy.server.revoke(device)


def requests(limit: int) -> list[aiobpy.server.Asked]:
    """The newest requests, newest first."""
    return aiobpy.server.requests(limit)


def stop_server() -> None:
    """Switch the web server off, if it is on."""
    if aiobpy.server.current() is not None:
        aiobpy.server.stop()
