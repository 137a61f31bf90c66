"""Keeps the tables in docs/benchmarks.md, between its two marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benches.loop.goals import Verdict
    from benches.loop.tables import Table

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- written by `cargo xtask bench loop --keep`: from here -->"
END = "<!-- to here -->"


def write(tables: Sequence[Table], verdicts: Sequence[Verdict], rounds: int) -> None:
    """Put the tables and the goals into the page."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _old, after = rest.split(END)
    parts = [_table(table) for table in tables]
    met = sum(verdict.is_met for verdict in verdicts)
    parts.append(f"**Goals**: {met} of {len(verdicts)} are met, best of {rounds}.\n")
    missed = [verdict for verdict in verdicts if not verdict.is_met]
    parts += [f"- missed: {verdict.name}: {verdict.text()}\n" for verdict in missed]
    PAGE.write_text(f"{before}{BEGIN}\n\n{''.join(parts)}\n{END}{after}")
    print(f"  {PAGE.relative_to(ROOT)}")


def _table(table: Table) -> str:
    lines = [
        "| " + " | ".join(table.head) + " |",
        "|---|" + "--:|" * (len(table.head) - 1),
        *("| " + " | ".join(str(value) for value in row) + " |" for row in table.rows),
    ]
    title = table.title[0].upper() + table.title[1:]
    return f"**{title}**\n\n" + "\n".join(lines) + "\n\n"
