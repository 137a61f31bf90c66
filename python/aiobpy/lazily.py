"""Names of a package that are loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def load(package: str, places: Mapping[str, str], name: str) -> Any:
    """Return what a package's `__getattr__` is asked for.

    Args:
        package: Its `__name__`.
        places: Where each name is: `module:attribute`, or a module that is the thing itself.
        name: What is asked for.

    Raises:
        AttributeError: The package has no such name.
    """
    place = places.get(name)
    if place is None:
        msg = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module, _, attribute = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found
