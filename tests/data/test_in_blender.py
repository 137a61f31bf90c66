"""What `aiobpy.data` does in three Blenders without windows: each `blender_*.py` beside this."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

_HERE: Final = Path(__file__).parent
_MODULES: Final = sorted(path.stem for path in _HERE.glob("blender_*.py"))


@pytest.mark.parametrize("module", _MODULES)
def test_data(module: str, python: Path) -> None:
    finished = subprocess.run(
        [python, "-m", "tests.data.inside", f"tests.data.{module}"],
        cwd=_HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    results: dict[str, str | None] = json.loads(finished.stdout.splitlines()[-1])
    assert results
    failed = [f"{test}\n{problem}" for test, problem in results.items() if problem is not None]
    if failed:
        pytest.fail("\n\n".join(failed), pytrace=False)
