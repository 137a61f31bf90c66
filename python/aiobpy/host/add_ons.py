"""Sees add-ons come and go: what an add-on has going on goes with it.

Blender tells nobody when it enables or disables an add-on; `addon_utils` does both, for the
preferences, for Reload Scripts and when it quits, by names that are looked up at each call.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from aiobpy import owners

if TYPE_CHECKING:
    from collections.abc import Callable

    Release = Callable[[owners.Owner], object]

_OURS = "aiobpy_original"


def watch(release: Release) -> None:
    """Have `release(owner)` called before an add-on is disabled or registered anew.

    Does nothing where there are no add-ons, and if it is done already.
    """
    addon_utils = _addon_utils()
    if addon_utils is None or hasattr(addon_utils.disable, _OURS):
        return
    addon_utils.enable = _watched(addon_utils.enable, release, is_enabling=True)
    addon_utils.disable = _watched(addon_utils.disable, release, is_enabling=False)


def unwatch() -> None:
    """Put Blender's own functions back, unless somebody has put others in the place of ours."""
    addon_utils = _addon_utils()
    if addon_utils is None:
        return
    for name in ("enable", "disable"):
        if original := getattr(getattr(addon_utils, name), _OURS, None):
            setattr(addon_utils, name, original)


def _watched(original: Callable[..., Any], release: Release, *, is_enabling: bool) -> Any:
    @functools.wraps(original)
    def watched(module_name: str, *arguments: Any, **keywords: Any) -> Any:
        owner = owners.of(module_name)
        if not owner.is_idle():
            # Before Blender unregisters it: `finally` blocks find all as they knew it.
            release(owner)
        with owners.owner(owner):
            result = original(module_name, *arguments, **keywords)
        if is_enabling:
            owner.enabled()
        elif not owner.is_idle():
            # What `unregister()` has begun.
            release(owner)
        return result

    setattr(watched, _OURS, original)
    return watched


def _addon_utils() -> Any:
    return sys.modules.get("addon_utils") if "bpy" in sys.modules else None
