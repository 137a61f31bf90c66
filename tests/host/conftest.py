"""Each Blender that is a Python module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.host.program import pythons

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=list(pythons().values()), ids=list(pythons()))
def python(request: pytest.FixtureRequest) -> Path:
    """A Python that has a `bpy` module."""
    found: Path = request.param
    if not found.exists():
        pytest.fail(f"`{found}` is missing; `cargo xtask setup` makes it")
    return found
