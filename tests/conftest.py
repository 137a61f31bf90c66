"""The Blenders that tests which run inside one run in."""

from __future__ import annotations

import shutil
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from aiobpy.uitest.blenders import Candidate, link_or_copy
from aiobpy.uitest.collecting import UiTestFile
from tests.blender.gui_blender import Installation, trees
from tests.host.program import pythons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiobpy.uitest.display import Display

ROOT: Final = Path(__file__).parents[1]


def pytest_configure() -> None:
    """Have Ctrl-C interrupt: a shell's background jobs ignore it, and so would what they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_aiobpy_blenders() -> Sequence[Candidate]:
    """Name those of the Debian trees."""
    return [Candidate(tree.name, partial(_install, tree)) for tree in trees()]


def pytest_aiobpy_packages() -> Sequence[Path]:
    """Name the examples."""
    return [ROOT / "examples"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them as what they are; the first of a session waits for Blender to start."""
    for item in items:
        if isinstance(item.parent, UiTestFile):
            item.add_marker(pytest.mark.blender)
            item.add_marker(pytest.mark.timeout(300))


def pytest_collection_finish() -> None:
    """Refuse tests that load Blender into the process of all tests.

    Raises:
        UsageError: One does: servers of the others would take themselves to be in Blender.
    """
    if "bpy" in sys.modules:
        msg = "a test module loads Blender; let a process of its own do so"
        raise pytest.UsageError(msg)


@pytest.fixture(params=list(pythons().values()), ids=list(pythons()))
def python(request: pytest.FixtureRequest) -> Path:
    """A Python that has a `bpy` module."""
    found: Path = request.param
    if found == pythons()["bpy-5.2"] and not found.exists():
        pytest.skip("`cargo xtask setup` found no Python 3.13, which Blender 5.2 needs")
    if not found.exists():
        pytest.fail(f"`{found}` is missing; `cargo xtask setup` makes it")
    return found


def _install(tree: Path, display: Display) -> Installation:
    """Bring aiohttp along, which examples use."""
    installation = Installation(tree, display)
    libraries = ROOT / ".venv" / "blender-libraries" / installation.python()
    for name in _AIOHTTP:
        for found in libraries.glob(f"{name}*"):
            place = installation.home / "modules" / found.name
            if found.is_dir():
                shutil.copytree(found, place, copy_function=link_or_copy)
            else:
                link_or_copy(str(found), str(place))
    return installation


_AIOHTTP: Final = (
    "aiohappyeyeballs",
    "aiohttp",
    "aiosignal",
    "attr",
    "frozenlist",
    "idna",
    "multidict",
    "propcache",
    "typing_extensions",
    "yarl",
)
"""It, and what it needs."""
