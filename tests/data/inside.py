"""Runs the tests of modules where `bpy` is, each in a new file, and prints what came of them."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import bpy

import aiobpy
from aiobpy import roots


def main(modules: list[str]) -> None:
    """Print a JSON object: each function's traceback by its name; null if all is well."""
    results: dict[str, str | None] = {}
    for name in modules:
        module = importlib.import_module(name)
        for test, function in list(vars(module).items()):
            if test.startswith("test_"):
                results[f"{name}:{test}"] = _outcome(function)
    print("\n" + json.dumps(results))


def _outcome(function: object) -> str | None:
    assert callable(function)
    bpy.ops.wm.read_factory_settings(use_empty=False)
    with tempfile.TemporaryDirectory() as folder:
        roots.allow([folder])
        given = [Path(folder)] if inspect.signature(function).parameters else []
        try:
            result = function(*given)
            if inspect.isawaitable(result):
                aiobpy.run(result)
        except BaseException:
            return traceback.format_exc()
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    # Past Blender's own end, which may hang or crash when Python callbacks are left.
    os._exit(0)
