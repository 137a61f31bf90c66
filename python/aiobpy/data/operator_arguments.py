"""Checks the arguments of an operator against what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobpy.data import bounds, fitting, operator_scopes, problems
from aiobpy.data.fitting import UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiobpy.data.rights import Rights


def fit(arguments: Sequence[Any], given: dict[str, Any], rights: Rights) -> dict[str, Any]:
    """Return what to call an operator with.

    Args:
        arguments: The properties of its RNA type.
        given: By name; what is null is left out.
        rights: Of whoever asks.

    Raises:
        Problem: 403, a file is out of bounds; 422, an argument does not fit.
    """
    errors: list[tuple[str, str]] = []
    fitted = _fit(arguments, given, rights, ("args",), errors)
    if errors:
        raise problems.unfit(errors)
    return fitted


def _fit(
    arguments: Sequence[Any],
    given: dict[str, Any],
    rights: Rights,
    where: tuple[object, ...],
    errors: list[tuple[str, str]],
) -> dict[str, Any]:
    known = {prop.identifier: prop for prop in arguments}
    fitted: dict[str, Any] = {}
    for name, value in given.items():
        place = (*where, name)
        prop = known.get(name)
        if prop is None:
            hint = problems.near(name, known)
            errors.append((problems.pointer(place), f"there is no such argument; {hint}"))
        elif value is not None:
            try:
                fitted[name] = _one(prop, value, rights, place, errors)
            except UnfitError as error:
                errors.append((problems.pointer((*place, *error.where)), error.detail))
    return fitted


def _one(
    prop: Any,
    value: Any,
    rights: Rights,
    where: tuple[object, ...],
    errors: list[tuple[str, str]],
) -> Any:
    inner = _inner(prop)
    if prop.type == 'POINTER':
        if not isinstance(value, dict):
            raise UnfitError("an object with the arguments of that part")
        return _fit(inner, value, rights, where, errors)
    if prop.type == 'COLLECTION':
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UnfitError("a list of objects")
        return [
            _fit(inner, item, rights, (*where, index), errors) for index, item in enumerate(value)
        ]
    if operator_scopes.is_path(prop) and isinstance(value, str) and value:
        if prop.identifier in ("filename", "name"):
            _check_name(value)
        else:
            bounds.check(value)
    return fitting.fit(None, prop, value, rights)


def _check_name(value: str) -> None:
    if "/" in value or "\\" in value or value == "..":
        raise UnfitError("the name of a file, without a folder")


def _inner(prop: Any) -> list[Any]:
    struct = getattr(prop, "fixed_type", None)
    if struct is None:
        return []
    return [inner for inner in struct.properties if inner.identifier != "rna_type"]
