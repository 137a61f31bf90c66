"""A web server of this process, for tests that ask it on the loop that answers."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import aiobpy.server
import aiobpy.web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest


def stand_alone(monkeypatch: pytest.MonkeyPatch, configuration: Path) -> None:
    """Have no settings of a person's, and no Blender that another test may have loaded."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(configuration))
    monkeypatch.delenv("AIOBPY_TOKEN", raising=False)
    monkeypatch.delitem(sys.modules, "bpy", raising=False)


@contextlib.asynccontextmanager
async def serving(loop: aiobpy.EventLoop) -> AsyncIterator[aiobpy.server.Server]:
    """Serve until the block ends, and then let sites go while their loop still runs."""
    server = aiobpy.server.start(loop=loop)
    try:
        yield server
    finally:
        aiobpy.server.stop()
        for site in aiobpy.web.sites():
            await site.settled()
            if site.prefix.startswith("/a/"):
                site.close()
