"""All that can be set of a data-block, kept and set back: a walk along Blender's own descriptions.

No object of Blender is kept, as it may be gone by the next job: a second walk takes the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable

_SKIPPED = frozenset(
    (
        # Derived from others: to set them would change those.
        "matrix_world",
        "matrix_local",
        "matrix_basis",
        "dimensions",
        "frame_float",
        "frame_current_final",
        "filepath_raw",
        "name",
        # The way back, and the way round.
        "rna_type",
        "bl_rna",
        "id_data",
        "original",
        "node",
        "from_node",
        "to_node",
        "from_socket",
        "to_socket",
        "parent_node",
        "depsgraph",
        # What no picture shows.
        "preview",
        "asset_data",
        "bl_idname",
        "select",
        "tag",
        "cursor",
        "tool_settings",
        "unit_settings",
        "keying_sets",
        "keying_sets_all",
        "grease_pencil",
        "window_manager",
        "show_expanded",
        # Geometry, of which there is much: see `state`.
        "vertices",
        "edges",
        "loops",
        "polygons",
        "loop_triangles",
        "loop_triangle_polygons",
        "attributes",
        "color_attributes",
        "uv_layers",
        "vertex_colors",
        "corner_normals",
        "vertex_normals",
        "polygon_normals",
        "splines",
        "pixels",
        "keyframe_points",
        "sampled_points",
        "bound_box",
        "skin_vertices",
        "data_transfer",
        "uv_layer_stencil",
        "uv_layer_clone",
    )
)
_LINKS = "links"


@dataclass(frozen=True)
class Plan:
    """What there is to keep of a kind of struct, by the names of its properties."""

    values: tuple[str, ...]
    scalars: Callable[[Any], Any]
    """Reads the first of the values, all at once: there are ten thousands of them in a scene."""
    arrays: tuple[str, ...]
    """The values after these: colours, vectors, sets of flags."""
    references: tuple[str, ...]
    """Other data-blocks that it points at."""
    structs: tuple[str, ...]
    collections: tuple[str, ...]
    takes_custom: bool


@dataclass
class Saved:
    """A struct as it was."""

    values: tuple[Any, ...]
    references: tuple[str | None, ...]
    structs: dict[str, Saved] = field(default_factory=dict)
    collections: dict[str, list[Any]] = field(default_factory=dict)
    """Each item of a list: a data-block's name, or what is kept of a struct."""
    custom: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, owner: Any, seen: set[int] | None = None) -> Saved:
        """Keep what a struct is now."""
        seen = set() if seen is None else seen
        seen.add(owner.as_pointer())
        plan = plan_of(owner)
        saved = cls(_values(owner, plan), _references(owner, plan))
        for name in plan.structs:
            struct = getattr(owner, name, None)
            if struct is not None and struct.as_pointer() not in seen and _is_part(struct):
                saved.structs[name] = cls.of(struct, seen)
        for name in plan.collections:
            saved.collections[name] = [
                _signature(item, name) or cls.of(item, seen)
                for item in getattr(owner, name)
                if not isinstance(item, bpy.types.bpy_struct) or item.as_pointer() not in seen
            ]
        if plan.takes_custom:
            saved.custom = _custom(owner)
        return saved

    def restore(self, owner: Any, seen: set[int] | None = None) -> None:
        """Set back what differs, and only that: what is set is computed anew.

        Raises:
            ValueError: Something cannot be set back.
        """
        seen = set() if seen is None else seen
        seen.add(owner.as_pointer())
        plan = plan_of(owner)
        self._restore_references(owner, plan)
        self._restore_values(owner, plan)
        for name in plan.structs:
            struct = getattr(owner, name, None)
            if struct is None or struct.as_pointer() in seen or not _is_part(struct):
                _must(name not in self.structs, owner, name)
                continue
            _must(name in self.structs, owner, name)
            self.structs[name].restore(struct, seen)
        for name in plan.collections:
            self._restore_collection(owner, name, seen)
        if plan.takes_custom:
            self._restore_custom(owner)

    def _restore_values(self, owner: Any, plan: Plan) -> None:
        # Twice: one value may decide what another can be.
        for _ in range(2):
            wrong = self._wrong_values(owner, plan)
            if not wrong:
                return
            for name, value in wrong:
                setattr(owner, name, set(value) if isinstance(value, frozenset) else value)
        wrong = self._wrong_values(owner, plan)
        _must(not wrong, owner, wrong[0][0] if wrong else "")

    def _wrong_values(self, owner: Any, plan: Plan) -> list[tuple[str, Any]]:
        now = _values(owner, plan)
        if now == self.values:
            return []
        return [
            (name, value)
            for name, value, found in zip(plan.values, self.values, now, strict=True)
            # What cannot be set follows from what can.
            if found != value and not owner.is_property_readonly(name)
        ]

    def _restore_references(self, owner: Any, plan: Plan) -> None:
        if _references(owner, plan) == self.references:
            return
        for name, wanted in zip(plan.references, self.references, strict=True):
            if _name_of(getattr(owner, name, None)) != wanted:
                setattr(owner, name, _find(owner, name, wanted))
        _must(_references(owner, plan) == self.references, owner, "references")

    def _restore_collection(self, owner: Any, name: str, seen: set[int]) -> None:
        items = [
            item
            for item in getattr(owner, name)
            if not isinstance(item, bpy.types.bpy_struct) or item.as_pointer() not in seen
        ]
        wanted = self.collections[name]
        _must(len(items) == len(wanted), owner, name)
        for index, (item, saved) in enumerate(zip(items, wanted, strict=True)):
            if isinstance(saved, Saved):
                _must(_signature(item, name) is None, owner, name)
                saved.restore(item, seen)
            elif _signature(item, name) != saved:
                _must(name == "materials", owner, name)
                getattr(owner, name)[index] = _material(saved)

    def _restore_custom(self, owner: Any) -> None:
        now = _custom(owner)
        if now == self.custom:
            return
        for name in now.keys() - self.custom.keys():
            del owner[name]
        for name, value in self.custom.items():
            if now.get(name) != value:
                owner[name] = value


def plan_of(owner: Any) -> Plan:
    """Return what there is to keep of a struct."""
    kind = type(owner)
    plan = _plans.get(kind)
    if plan is None:
        plan = _plans[kind] = _make_plan(owner)
    return plan


_plans: dict[type, Plan] = {}


def _make_plan(owner: Any) -> Plan:
    scalars: list[str] = []
    arrays: list[str] = []
    references, structs, collections = [], [], []
    for item in owner.bl_rna.properties:
        name = item.identifier
        if name in _SKIPPED or name.startswith(("bl_", "is_evaluated", "use_simulation_cache")):
            continue
        if item.type == 'COLLECTION':
            collections.append(name)
        elif item.type != 'POINTER':
            if not item.is_readonly:
                (arrays if _is_array(item) else scalars).append(name)
        elif not item.is_readonly and issubclass(_type_of(item), bpy.types.ID):
            references.append(name)
        else:
            structs.append(name)
    takes_custom = isinstance(owner, (bpy.types.ID, bpy.types.NodesModifier))
    return Plan(
        values=(*scalars, *arrays),
        # Two at least, for it to return a tuple.
        scalars=attrgetter(*scalars, scalars[0]) if scalars else _nothing,
        arrays=tuple(arrays),
        references=tuple(references),
        structs=tuple(structs),
        collections=tuple(collections),
        takes_custom=takes_custom,
    )


def _nothing(_owner: Any) -> tuple[()]:
    return ()


def _is_array(item: Any) -> bool:
    return bool(getattr(item, "is_array", False) or getattr(item, "is_enum_flag", False))


def _type_of(item: Any) -> type:
    kind: type = getattr(bpy.types, item.fixed_type.identifier, bpy.types.bpy_struct)
    return kind


def _values(owner: Any, plan: Plan) -> tuple[Any, ...]:
    count = len(plan.values) - len(plan.arrays)
    try:
        scalars: tuple[Any, ...] = plan.scalars(owner)[:count]
    except AttributeError:
        scalars = tuple([getattr(owner, name, None) for name in plan.values[:count]])
    if not plan.arrays:
        return scalars
    return (*scalars, *[_plain(getattr(owner, name, None)) for name in plan.arrays])


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    if not hasattr(value, "__len__"):
        return None
    items = tuple(value)
    is_flat = not items or isinstance(items[0], (bool, int, float))
    return items if is_flat else tuple([_plain(item) for item in items])


def _references(owner: Any, plan: Plan) -> tuple[str | None, ...]:
    return tuple([_name_of(getattr(owner, name, None)) for name in plan.references])


def _name_of(block: Any) -> str | None:
    return None if block is None else f"{block.id_type}/{block.name_full}"


def _find(owner: Any, name: str, wanted: str | None) -> Any:
    """The data-block of a name, among those that the property can point at."""
    if wanted is None:
        return None
    kind, _, full_name = wanted.partition("/")
    for collection in bpy.data.bl_rna.properties:
        if collection.type != 'COLLECTION':
            continue
        for block in getattr(bpy.data, collection.identifier):
            if block.id_type != kind:
                break
            if block.name_full == full_name:
                return block
    msg = f"{name} of {owner!r} was {full_name}, which is no more"
    raise ValueError(msg)


def _material(saved: str) -> Any:
    _, _, full_name = saved.partition("/")
    return None if not full_name else bpy.data.materials.get(full_name)


def _is_part(struct: Any) -> bool:
    """Whether it belongs to what points at it: data-blocks of their own are kept by themselves."""
    return not isinstance(struct, bpy.types.ID) or bool(struct.is_embedded_data)


def _signature(item: Any, name: str) -> str | None:
    """What an item of a list is, if it is no struct that is kept."""
    if item is None:
        return "/"
    if isinstance(item, bpy.types.ID):
        return _name_of(item)
    if name == _LINKS and isinstance(item, bpy.types.NodeLink):
        ends = (item.from_node, item.from_socket, item.to_node, item.to_socket)
        return "/".join(getattr(end, "identifier", None) or end.name for end in ends)
    if not isinstance(item, bpy.types.bpy_struct):
        return repr(_plain(item))
    return None


def _custom(owner: Any) -> dict[str, Any]:
    """Custom properties that are values; add-ons' groups are described like all else."""
    try:
        items = owner.items()
    except TypeError:
        return {}
    found = {}
    for name, value in items:
        if isinstance(value, bpy.types.ID):
            continue
        if hasattr(value, "to_list"):
            found[name] = value.to_list()
        elif isinstance(value, (bool, int, float, str)):
            found[name] = value
    return found


def _must(holds: bool, owner: Any, name: str) -> None:
    if not holds:
        msg = f"{name} of {owner!r} cannot be set back"
        raise ValueError(msg)
