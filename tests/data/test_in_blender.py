"""The functions of `aiobpy.data`, in three Blenders without windows."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[1]


def _tests() -> list[str]:
    """Return the tests of the modules that need `bpy`, without loading them."""
    return [
        f"tests.data.{path.stem}:{node.name}"
        for path in sorted(_HERE.glob("blender_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


@functools.cache
def _results(python: Path) -> dict[str, str | None]:
    """Run them all in one process: Blender takes a second to begin."""
    modules = sorted({test.partition(":")[0] for test in _tests()})
    finished = subprocess.run(
        [python, "-m", "tests.data.inside", *modules],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    results: dict[str, str | None] = json.loads(finished.stdout.splitlines()[-1])
    return results


@pytest.mark.parametrize("test", _tests(), ids=lambda test: test.partition(":")[2])
def test_data(test: str, python: Path) -> None:
    problem = _results(python)[test]
    if problem is not None:
        pytest.fail(problem, pytrace=False)
