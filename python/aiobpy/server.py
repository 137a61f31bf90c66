"""The web server of this process: off until `start()`, on loopback alone, with a token.

Status and events answer while the main thread is blocked; `aiobpy.rpc` methods are answered by the
loop.
"""

from __future__ import annotations

import atexit
import importlib
import json
import socket
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aiobpy import host, online
from aiobpy import roots as allowed_roots
from aiobpy._native import Offers, Server, Sites, qr_code
from aiobpy.pairing import Scope, on_pairing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from aiobpy.loop import EventLoop

    Tls = tuple[str | os.PathLike[str], str | os.PathLike[str]]

__all__ = [
    "Asked",
    "Device",
    "QrCode",
    "Server",
    "Watcher",
    "allow_exec",
    "audit",
    "change_token",
    "current",
    "devices",
    "offers",
    "on_pairing",
    "pair",
    "publish",
    "requests",
    "revoke",
    "share",
    "sites",
    "start",
    "stop",
    "unshare",
    "unwatch",
    "watch",
]

_LONGEST_TOPIC = 200
_OFF = "no web server runs; start it with aiobpy.server.start()"
_server: Server | None = None
_loop: EventLoop | None = None
"""The one that answers for the server."""
_watchers: set[Watcher] = set()
offers = Offers()
"""What add-ons offer to programs, also while the server is off."""
sites = Sites()
"""What add-ons have hung on the server, also while it is off."""


def start(
    port: int | None = None,
    *,
    token: str | None = None,
    roots: Iterable[str | os.PathLike[str]] | None = None,
    exec: bool = False,  # noqa: A002 - the scope is called so
    connections: int | None = None,
    unix_socket: str | os.PathLike[str] | None = None,
    lan: bool = False,
    tls: Tls | None = None,
    announced: bool = True,
    loop: EventLoop | None = None,
) -> Server:
    """Start the web server of this process, and return it.

    Where there is a Blender, what it has is served below `/api/v1`.

    Its address and token are written to a file in the user's configuration folder that only the
    user may read (`Server.discovery_file`), for programs to find it. The stop removes the file.

    Args:
        port: On 127.0.0.1. If left out, that of the last time if it is free, else any free one.
        token: What clients have to send; 16 characters or more. If left out, the environment
            variable AIOBPY_TOKEN, else a random one.
        roots: The folders whose files clients may name, if they have the scope `files`; if left
            out, those that were allowed before, at first none.
        lan: Whether devices on the network may reach it, as after `share`.
        tls: As for `share`.
        exec: Whether Python may be run from outside, by those whose scope includes it. The
            server's own token does, once this is on.
        connections: How many may be open at once, three quarters of them from one address; 512 if
            left out. Each needs a file descriptor, of which a process often has 1024.
        unix_socket: A path to listen at as well, for this user alone; the host is `localhost`
            there. Not on Windows.
        announced: Whether there is such a file. If not, only who is told the address and the token
            finds it, the port is any free one, and no device that was paired before is known.
        loop: Runs the RPC methods. If left out, the loop that all add-ons share.

    Raises:
        RuntimeError: The server runs already.
        OSError: The port or the path is in use, or the file cannot be written.
        ValueError: The token or the number of connections cannot be used.
    """
    global _loop, _server
    if _server is not None:
        msg = f"the web server runs already, at {_server.address}; stop it first"
        raise RuntimeError(msg)
    if roots is not None:
        allowed_roots.allow(roots)
    if loop is None:
        loop = host.ticked_loop()
    _server = Server(
        loop,
        port=port,
        token=token,
        exec=exec,
        connections=connections,
        announced=announced,
        blender_version=_blender_version(),
        sites=sites,
        offers=offers,
    )
    _loop = loop
    atexit.register(stop)
    if unix_socket is not None or lan:
        try:
            if unix_socket is not None:
                _server.open_local(Path(unix_socket))
            if lan:
                share(tls=tls)
        except BaseException:
            stop()
            raise
    if "bpy" in sys.modules:
        # Not before: it knows Blender, which loading it would make of any Python.
        importlib.import_module("aiobpy.data.site").put_up()
    for watcher in list(_watchers):
        loop.call_soon(watcher.server_started)
    return _server


def stop() -> None:
    """Stop the web server: its connections, its thread and its file are gone when this returns.

    Does nothing if none runs.
    """
    global _loop, _server
    server, _server, _loop = _server, None, None
    if server is not None:
        atexit.unregister(stop)
        server.stop()
        for watcher in list(_watchers):
            watcher.server_stopped()


def current() -> Server | None:
    """Return the web server of this process, if it runs."""
    return _server


class Watcher(Protocol):
    """What has to know whether the server runs."""

    def server_started(self) -> None:
        """Called in the loop that answers for it."""

    def server_stopped(self) -> None:
        """Called by whoever has stopped it."""


def watch(watcher: Watcher) -> None:
    """Tell somebody when the server starts and stops; soon, if it runs."""
    _watchers.add(watcher)
    if _loop is not None:
        _loop.call_soon(watcher.server_started)


def unwatch(watcher: Watcher) -> None:
    """Tell that one no more."""
    _watchers.discard(watcher)


def allow_exec(is_allowed: bool = True) -> None:
    """Let Python be run from outside, or no more; until the server stops.

    Raises:
        RuntimeError: No server runs.
    """
    _running().allow_exec(is_allowed)


def share(*, tls: Tls | None = None, addresses: Sequence[str] | None = None) -> list[str]:
    """Let devices on the network reach the server, by TLS; who may do what stays as it is.

    Args:
        tls: PEM files: the certificates, the server's own first, and their key. If left out, an
            authority of this user's own signs a certificate, which follows the network. Devices are
            to be told to trust it once: `GET /ca.crt`.
        addresses: Of this computer, to listen at; if left out, all private ones, as they come and
            go.

    Returns:
        Where it is reached, as in `https://192.168.1.2:43210`.

    Raises:
        RuntimeError: No server runs.
        OfflineError: Blender may not go online.
        ValueError: A certificate or an address cannot be used.
        OSError: There is no network, or the port is in use there.
    """
    server = _running()
    online.check_sharing()
    files = None if tls is None else (Path(tls[0]), Path(tls[1]))
    told = None if addresses is None else list(addresses)
    server.share(socket.gethostname(), addresses=told, tls=files)
    return server.shared_at


def unshare() -> None:
    """Serve this computer alone again, and cut the connections of others."""
    if _server is not None:
        _server.unshare()


def change_token(token: str | None = None) -> str:
    """Put another token in the place of the server's own; who came in by the old one is out.

    Args:
        token: 16 characters or more; a random one if left out.

    Returns:
        The new token. The discovery file has it, too.

    Raises:
        RuntimeError: No server runs.
        ValueError: The token cannot be used.
        OSError: The discovery file cannot be written.
    """
    server = _running()
    server.change_token(token)
    return server.token


@dataclass(frozen=True, slots=True)
class Device:
    """A device that was paired."""

    id: str
    name: str
    """As it has called itself."""
    scope: Scope
    paired_at: datetime


def devices() -> list[Device]:
    """Return the devices that were paired, the last one first.

    Raises:
        RuntimeError: No server runs.
    """
    return [
        Device(**{**told, "paired_at": datetime.fromisoformat(told["paired_at"])})
        for told in json.loads(_running().devices())
    ]


def revoke(device: str) -> bool:
    """Let a device in no more, and cut what it has open; return whether there was one.

    Args:
        device: Its `id`.

    Raises:
        RuntimeError: No server runs.
        OSError: The list of devices cannot be written; the device is out all the same.
    """
    return _running().revoke(device)


@dataclass(frozen=True, slots=True)
class QrCode:
    """An address as a QR code."""

    address: str
    size: int
    """Squares along a side, without the margin of four that belongs around them."""
    squares: bytes
    """A byte for each square, row by row from the top: 1 is dark."""
    svg: str
    text: str
    """For a dark terminal."""


def pair() -> QrCode:
    """Show a code that lets one device ask to be let in: once, and for two minutes.

    Whoever has it can ask; a person, or the function of `on_pairing`, still has to allow it.

    Raises:
        RuntimeError: No server runs.
    """
    address = _running().open_pairing()
    if address is None:
        raise RuntimeError(_OFF)
    return QrCode(address, *qr_code(address))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and how it was answered. Times are in milliseconds."""

    at: datetime
    request_id: str
    principal: str | None
    """Who asked; None for who was not let in, or need not be."""
    address: str | None
    method: str
    path: str
    status: int
    bytes: int
    milliseconds: float


def requests(limit: int = 100) -> list[Asked]:
    """Return the newest requests, newest first.

    Raises:
        RuntimeError: No server runs.
    """
    return _asked(_running().requests(limit))


def audit(limit: int = 100) -> list[Asked]:
    """Return the newest requests that changed something or were refused, newest first.

    Raises:
        RuntimeError: No server runs.
    """
    return _asked(_running().audit(limit))


def publish(topic: str, data: Any = None) -> None:
    """Tell those who follow `/api/v1/events`, from any thread; nobody does while no server runs.

    Args:
        topic: What happened, as in `my_addon.saved`. Clients choose by the parts before a dot.
        data: What JSON can say, up to 64 KiB of it.

    Raises:
        ValueError: The topic is empty, too long or has control characters, or JSON cannot say the
            data.
        TypeError: JSON cannot say the data.
    """
    if not topic or len(topic) > _LONGEST_TOPIC or not topic.isprintable():
        msg = f"{topic!r} is no topic; use words with dots between them, as in 'my_addon.saved'"
        raise ValueError(msg)
    text = json.dumps(data, allow_nan=False)
    if _server is not None:
        _server.publish(topic, text)


def _running() -> Server:
    if _server is None:
        raise RuntimeError(_OFF)
    return _server


def _asked(told: str) -> list[Asked]:
    return [
        Asked(**{**asked, "at": datetime.fromisoformat(asked["at"])}) for asked in json.loads(told)
    ]


def _blender_version() -> str | None:
    # Of the module that is there: loading it would make a Blender of any Python.
    bpy = sys.modules.get("bpy")
    return None if bpy is None else ".".join(str(part) for part in bpy.app.version)
