"""Keeps the tables in docs/benchmarks.md, between its two marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benches.loop.goals import Verdict
    from benches.loop.tables import Table

PAGE = machine.ROOT / "docs" / "benchmarks.md"


def write(tables: Sequence[Table], verdicts: Sequence[Verdict], rounds: int) -> None:
    """Put the tables and the goals into the page."""
    parts = [_table(table) for table in tables]
    met = sum(verdict.is_met for verdict in verdicts)
    parts.append(f"**Goals**: {met} of {len(verdicts)} are met, best of {rounds}.\n")
    missed = [verdict for verdict in verdicts if not verdict.is_met]
    parts += [f"- missed: {verdict.name}: {verdict.text()}\n" for verdict in missed]
    machine.keep(PAGE, "bench loop", "".join(parts))


def _table(table: Table) -> str:
    lines = [
        "| " + " | ".join(table.head) + " |",
        "|---|" + "--:|" * (len(table.head) - 1),
        *("| " + " | ".join(str(value) for value in row) + " |" for row in table.rows),
    ]
    title = table.title[0].upper() + table.title[1:]
    return f"**{title}**\n\n" + "\n".join(lines) + "\n\n"
