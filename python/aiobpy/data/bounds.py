"""Which files a client may name: those in the allowed folders, wherever links lead."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from aiobpy import roots
from aiobpy.data import problems


def check(path: str) -> Path:
    """Return where a path really leads, if that is in an allowed folder.

    Symbolic links are followed first. The file itself need not be there.

    Args:
        path: Absolute, or relative to the open file as in `//textures/cup.png`.

    Raises:
        Problem: 400, it is neither; 403, it leads elsewhere.
    """
    if "\0" in path:
        raise problems.malformed("a path has no NUL in it")
    expanded = bpy.path.abspath(path) if path.startswith("//") and bpy.data.filepath else path
    if not os.path.isabs(expanded) or expanded.startswith(("//", "\\\\")):
        msg = f"{path!r} is not absolute"
        raise problems.malformed(
            msg, "begin with a folder of GET /api/v1/files/roots, or with // in a saved file"
        )
    real = Path(os.path.realpath(expanded))
    if not any(real.is_relative_to(root) for root in roots.allowed()):
        msg = f"{path!r} is in none of the folders whose files may be used"
        hint = "the user allows folders in the extension's preferences, or by `start(roots=[…])`"
        raise problems.not_allowed(msg, hint)
    return real
