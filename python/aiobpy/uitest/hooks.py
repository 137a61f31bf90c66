"""What a `conftest.py` may tell the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiobpy.uitest.blenders import Candidate


@pytest.hookspec(firstresult=True)
def pytest_aiobpy_blenders(config: pytest.Config) -> Sequence[Candidate] | None:
    """Return the Blenders to test in, where the command line names none.

    For a Blender that takes more to start than its path.
    """


@pytest.hookspec
def pytest_aiobpy_packages(config: pytest.Config) -> Sequence[Path] | None:
    """Return packages and modules that the tests import inside Blender, besides the ini's."""
