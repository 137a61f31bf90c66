"""Lists of data-blocks, a page at a time, walked in as many frames as it takes."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiobpy import main_loop
from aiobpy.data import blocks, problems, queries, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiobpy.data.blocks import Kind
    from aiobpy.data.queries import Condition, Order, Tree

MOST: Final = 200
"""Items of a page."""

_AT_ONCE: Final = 128
"""Data-blocks that are looked at between two glances at the clock."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks of a list.

    Attributes:
        conditions: All have to hold.
        order: What it is sorted by.
        limit: So many items at most.
        after: The key of the last item of the page before.
        tree: The members that are shown; the kind's summary if None.
    """

    conditions: Sequence[Condition] = ()
    order: Order = queries.BY_NAME
    limit: int = 50
    after: tuple[Any, ...] | None = None
    tree: Tree | None = None


def query(
    kind: Kind, *, fields: str = "", filter: str = "", sort: str = "name", limit: int = 50,  # noqa: A002 - as clients call it
    cursor: str = "",
) -> Query:  # fmt: skip
    """Return what the parameters of an address ask for.

    Raises:
        Problem: 400, one of them makes no sense.
    """
    if not 1 <= limit <= MOST:
        raise problems.malformed(f"`limit` is from 1 to {MOST}, not {limit}")
    conditions = queries.conditions(filter) if filter else []
    order = queries.order(sort)
    for condition in conditions:
        reading.check_path(kind, condition.path, "filter")
    reading.check_path(kind, order.path, "sort")
    after = queries.place(order, cursor) if cursor else None
    tree = queries.fields(fields) if fields else None
    for name in tree or ():
        reading.check_path(kind, (name,), "fields")
    return Query(conditions, order, limit, after, tree)


async def page(kind: Kind, asked: Query) -> dict[str, Any]:
    """Return a page: `{"items": […], "next": cursor or null}`.

    What is added, removed or renamed between two pages neither repeats nor hides another item: a
    page begins after the last item of the one before, whether that is still there or not.

    Raises:
        Problem: 404, `fields` has what the items have not.
    """
    chosen = _Chosen(asked.order, asked.limit + 1)
    reader = reading.Reader()
    async for start in main_loop.spread(range(0, len(blocks.all_of(kind)), _AT_ONCE)):
        chosen.take(_keys(kind, asked, start, reader))
    keys = chosen.keys()
    more = len(keys) > asked.limit
    keys = keys[: asked.limit]
    tree = asked.tree if asked.tree is not None else {name: {} for name in kind.summary}
    items = []
    async for _rank, _value, name, library in main_loop.spread(keys):
        found = blocks.look_up(kind, name, library or None)
        if found is not None:
            items.append(reading.block(found, tree, skips_unknown=True))
    return {"items": items, "next": queries.cursor(asked.order, keys[-1]) if more else None}


class _Chosen:
    """The first of many keys, in order."""

    def __init__(self, order: Order, count: int) -> None:
        self._count = count
        self._best = heapq.nlargest if order.is_downward else heapq.nsmallest
        self._kept: list[tuple[Any, ...]] = []

    def take(self, keys: list[tuple[Any, ...]]) -> None:
        if keys:
            self._kept = self._best(self._count, {*self._kept, *keys})

    def keys(self) -> list[tuple[Any, ...]]:
        return self._kept


def _keys(kind: Kind, asked: Query, start: int, reader: reading.Reader) -> list[tuple[Any, ...]]:
    """Return the keys of some data-blocks that fit and come after the page before."""
    order = asked.order
    keys = []
    for block in blocks.all_of(kind)[start : start + _AT_ONCE]:
        name, library = block.name, blocks.library_of(block)
        value = name if order.path == ("name",) else reader.value_at(block, order.path)
        key = order.key(value, name, library)
        if asked.after is not None and not order.is_after(key, asked.after):
            continue
        if all(one.holds(reader.value_at(block, one.path)) for one in asked.conditions):
            keys.append(key)
    return keys
