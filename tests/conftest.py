"""The Blenders that tests which run inside one run in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from aiobpy.uitest.blenders import Candidate
from aiobpy.uitest.collecting import UiTestFile
from tests.blender.gui_blender import Installation, trees

if TYPE_CHECKING:
    from collections.abc import Sequence


def pytest_aiobpy_blenders() -> Sequence[Candidate]:
    """Name those of the Debian trees."""
    return [Candidate(tree.name, partial(Installation, tree)) for tree in trees()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them as what they are; the first of a session waits for Blender to start."""
    for item in items:
        if isinstance(item.parent, UiTestFile):
            item.add_marker(pytest.mark.blender)
            item.add_marker(pytest.mark.timeout(300))
