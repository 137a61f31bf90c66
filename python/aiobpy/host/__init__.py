"""Who runs the loop: Blender's own main loop, or the loop itself.

The only package that decides how Blender comes back to us.
"""

from aiobpy.host.background import BackgroundHost
from aiobpy.host.gui import GuiHost
from aiobpy.host.shared import (
    gui_host,
    has_main_loop,
    loop,
    on_each_loop,
    on_shut_down,
    release,
    run,
    shut_down,
    spawn,
    ticked_loop,
)

__all__ = [
    "BackgroundHost",
    "GuiHost",
    "gui_host",
    "has_main_loop",
    "loop",
    "on_each_loop",
    "on_shut_down",
    "release",
    "run",
    "shut_down",
    "spawn",
    "ticked_loop",
]
