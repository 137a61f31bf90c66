"""What a benchmark of the fleet found: printed, written as JSON and, if wanted, into the docs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benches import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE: Final = machine.ROOT / "docs" / "benchmarks_fleet.md"


@dataclass
class Findings:
    """The tables and goals of one benchmark.

    Attributes:
        name: The benchmark's, as on the command line.
        is_kept: Whether they go into the page of the documentation.
    """

    name: str
    is_kept: bool = False
    _text: list[str] = field(default_factory=list)
    _goals: list[str] = field(default_factory=list)
    _met: list[bool] = field(default_factory=list)

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table, and keep it."""
        machine.print_table(title, head, rows)
        lines = [" | ".join(head), "---" + "|--:" * (len(head) - 1)]
        lines += [" | ".join(str(cell) for cell in row) for row in rows]
        table = "\n".join(f"| {line} |" for line in lines)
        self._text.append(f"**{title[0].upper()}{title[1:]}**\n\n{table}\n\n")

    def goal(self, name: str, value: float, goal: float, *, at_least: bool) -> None:
        """Say whether a goal is met."""
        is_met = machine.verdict(name, value, goal, at_least=at_least)
        sign = "≥" if at_least else "≤"
        met = "met" if is_met else "**missed**"
        self._goals.append(f"- {met}: {name}: {value:,.4g} (goal {sign} {goal:,.4g})\n")
        self._met.append(is_met)

    def close(self, figures: dict[str, Any]) -> bool:
        """Write the JSON, and the page if it is to be kept; return whether all goals are met."""
        machine.write_json(self.name, figures)
        if self.is_kept:
            text = "".join([*self._text, *self._goals])
            machine.keep(PAGE, f"bench {self.name}", text)
        return all(self._met)
