# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender extension: it registers what the wheel brings, and contains no logic."""

from aiobpy import blender


def register() -> None:
    """Show the panel and start the loop."""
    blender.register(__package__ or __name__)


def unregister() -> None:
    """Stop the server and the loop, and take the panel away."""
    blender.unregister()
