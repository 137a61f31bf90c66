"""The names of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import aiobpy


def test_what_is_loaded_late_is_known_to_type_checkers_too() -> None:
    assert aiobpy.__file__ is not None
    tree = ast.parse(Path(aiobpy.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    known = {
        alias.asname
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert known == set(aiobpy._LATE)
    assert known <= set(dir(aiobpy))


def test_the_package_does_not_load_blender() -> None:
    program = "import sys, aiobpy, aiobpy.ui, aiobpy.web; print('bpy' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert printed.stdout == b"False\n"
