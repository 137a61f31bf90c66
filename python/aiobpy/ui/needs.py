"""What a call needs, and a clear error where it is not there."""

from __future__ import annotations

from aiobpy import host, owners


def main_thread(deed: str) -> None:
    """Refuse a call from another thread.

    Raises:
        RuntimeError: This is not the main thread.
    """
    host.loop().check_thread(deed)


def windows(deed: str) -> None:
    """Refuse a call where there is nobody to ask.

    Args:
        deed: What the caller wanted to do, as in `open a dialog`.

    Raises:
        RuntimeError: This is not the main thread, or this Blender has no windows.
    """
    main_thread(deed)
    if not host.has_main_loop():
        msg = (
            f"{owners.current().short_name} cannot {deed}: this Blender runs without windows, so"
            " nobody would answer; ask only where `bpy.app.background` is false"
        )
        raise RuntimeError(msg)
    host.ticked_loop()
