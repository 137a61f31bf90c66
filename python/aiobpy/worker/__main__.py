"""Starts a worker: `python -m aiobpy.worker`, or this file by `blender --background --python`.

This file uses only what the Python of any Blender can read, and imports aiobpy after the check: an
old Blender has to be able to say that it is too old.
"""

from __future__ import annotations

import json
import os
import socket
import sys

OLDEST_BLENDER = (4, 2, 0)
LINK = 0
"""The supervisor gives its end of the link as standard input, except on Windows."""
LINK_BY_NAME = "AIOBPY_WORKER_LINK"
"""There, this variable holds where to connect, and the word to say first."""


def main() -> None:
    """Serve until the supervisor says stop, then end the process."""
    problem = why_it_cannot_serve()
    if problem is None:
        from aiobpy.worker.serve import serve

        serve()
        leave(0)
    tell(json.dumps({"type": "unusable", "problem": problem}) + "\n")
    leave(1)


def tell(line: str) -> None:
    """Send the supervisor a line without aiobpy, which may be what is missing."""
    if LINK_BY_NAME not in os.environ:
        os.write(LINK, line.encode())
        return
    address, secret = os.environ[LINK_BY_NAME].split()
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as link:
        link.sendall((secret + line).encode())


def why_it_cannot_serve() -> dict[str, object] | None:
    """Return the problem with this Blender or its Python; None if there is none."""
    try:
        import bpy
    except ImportError as error:
        return unusable(
            "This Python has no bpy",
            f"{sys.executable} cannot import bpy: {error}",
            "install it with `pip install bpy`, or name a Blender with `--blender`",
        )
    if bpy.app.version < OLDEST_BLENDER:
        oldest = ".".join(map(str, OLDEST_BLENDER[:2]))
        return unusable(
            "Blender is too old",
            f"this is Blender {bpy.app.version_string}; aiobpy needs {oldest} or newer",
            f"name a Blender {oldest} or newer with `--blender`, or leave that out to use bpy",
        )
    if not __package__:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        sys.path.insert(0, os.path.dirname(package))
    try:
        import aiobpy  # noqa: F401
    except ImportError as error:
        return unusable(
            "aiobpy does not fit this Blender",
            f"the Python {sys.version.split()[0]} of Blender {bpy.app.version_string} "
            f"cannot import aiobpy: {error}",
            "install the aiobpy wheel that is made for this platform",
        )
    return None


def unusable(title: str, detail: str, hint: str) -> dict[str, object]:
    """Return a problem (RFC 9457) as the supervisor reads it."""
    return {
        "type": "unusable-blender",
        "title": title,
        "status": 503,
        "detail": detail,
        "hint": hint,
    }


def leave(code: int) -> None:
    """End the process now.

    Blender's own way out crashes (4.2) or hangs (4.5) while a handler of ours is registered.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
