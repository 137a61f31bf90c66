"""Whether a property is animated or driven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def facts(holder: Any, prop: Any, number: int | None = None) -> dict[str, bool]:
    """Return `is_animated` and `is_driven` of a property, or of one item of its array."""
    found = {"is_animated": False, "is_driven": False}
    data = getattr(holder.id_data, "animation_data", None)
    if data is None or not prop.is_animatable:
        return found
    try:
        path = holder.path_from_id(prop.identifier)
    except ValueError:
        return found
    found["is_animated"] = _is_among(_curves(data), path, number)
    found["is_driven"] = _is_among(data.drivers, path, number)
    return found


def _is_among(curves: Iterable[Any], path: str, number: int | None) -> bool:
    return any(curve.data_path == path and number in (None, curve.array_index) for curve in curves)


def _curves(data: Any) -> Iterator[Any]:
    """Yield the curves that animate a data-block: since Blender 4.4, those of its slot."""
    action = data.action
    if action is None:
        return
    slot = getattr(data, "action_slot", None)
    if not hasattr(action, "layers") or not hasattr(data, "action_slot"):
        yield from action.fcurves
        return
    if slot is None:
        return
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None:
                yield from bag.fcurves
