"""Makes a module of a test file's text, with pytest's own explanations in its `assert`s.

The file itself is outside, perhaps where this Blender cannot see it.
"""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from _pytest import config
from _pytest.assertion import rewrite, util

if TYPE_CHECKING:
    import pytest


def module_of(path: str, source: str) -> ModuleType:
    """Run a test file's text as a module; it stays in `sys.modules` as long as Blender runs.

    Args:
        path: The file, for tracebacks.
        source: Its text.

    Raises:
        Exception: Whatever the module's own statements raise.
    """
    # Without a time, the lines are kept: there may be no such file here.
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    name = f"aiobpy_uitest_{abs(hash(path))}"
    tree = ast.parse(source, path)
    rewrite.rewrite_asserts(tree, source.encode(), path)
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    exec(compile(tree, path, "exec", dont_inherit=True), vars(module))
    return module


@functools.cache
def _config() -> pytest.Config:
    """A configuration of pytest without any files or plugins of somebody's."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-c", os.devnull, "--rootdir", "/", "--assert=plain", "-v", "-p", "no:cacheprovider"]
    return config._prepareconfig(options)


def _explain_comparison(operator: str, left: Any, right: Any) -> str | None:
    """Explain why a comparison does not hold, as pytest's runner does; None for no explanation."""
    try:
        options = {"config": _config(), "op": operator, "left": left, "right": right}
        explanations = _config().hook.pytest_assertrepr_compare(**options)
    except Exception:
        # How pytest is set up is its own affair and may change. Without it both sides are shown.
        return None
    lines: list[str] = next((lines for lines in explanations if lines), [])
    return "\n~".join(line.replace("\n", "\\n") for line in lines).replace("%", "%%") or None


util._reprcompare = _explain_comparison
