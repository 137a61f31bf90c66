"""Whether Blender may go online: `bpy.app.online_access`, as its preferences and command line say.

This machine itself may always be asked. All else needs the person's consent.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any

from aiobpy import owners


class OfflineError(PermissionError):
    """Blender may not go online; the text says where to allow it."""


def is_allowed() -> bool:
    """Return whether other machines may be asked; outside of Blender, always."""
    # Of the module that is there: loading it would make a Blender of any Python.
    bpy = sys.modules.get("bpy")
    return bpy is None or bool(getattr(bpy.app, "online_access", True))


def check(host: str | bytes | None) -> None:
    """Refuse to ask another machine while Blender may not go online.

    Args:
        host: Its name or address; None is this machine.

    Raises:
        OfflineError: Blender may not.
    """
    if is_allowed() or host is None:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not is_this_machine(name):
        raise OfflineError(_refusal(name))


def check_address(address: Any) -> None:
    """Refuse a socket's address as `check` does its host; those of Unix sockets are of here."""
    if isinstance(address, tuple) and address and isinstance(address[0], str):
        check(address[0])


def check_sharing() -> None:
    """Refuse to be there for other machines while Blender may not go online.

    Raises:
        OfflineError: Blender may not.
    """
    if not is_allowed():
        msg = (
            "the web server is to be shared on the network, but Blender may not go online;"
            f" {_remedy()}"
        )
        raise OfflineError(msg)


def is_this_machine(host: str) -> bool:
    """Return whether a host is this very machine, without asking anybody what its name means."""
    name = host.rstrip(".").lower()
    if name in ("", "localhost", socket.gethostname().lower()) or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refusal(host: str) -> str:
    asks = owners.current().short_name
    return f"{asks} wants to reach {host}, but Blender may not go online; {_remedy()}"


def _remedy() -> str:
    bpy = sys.modules["bpy"]
    if getattr(bpy.app, "online_access_override", False):
        return "it was started with --offline-mode: start it with --online-mode"
    if bpy.app.background:
        return (
            "start it with --online-mode, or with the `bpy` module set"
            " `bpy.context.preferences.system.use_online_access = True`"
        )
    return "Preferences > System > Network > Allow Online Access allows it"
