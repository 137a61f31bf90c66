"""A run's figures as tables of Markdown, for a page of the documentation."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MARK = "<!-- written by `cargo xtask chaos --engine {} --report`: from here -->"
_END = "<!-- to here -->"


def tables(figures: Sequence[dict[str, Any]]) -> str:
    """Return what each phase came to, and all of them together; and how often each blow fell."""
    total = {"phase": "**together**", **_together(figures)}
    rows = [_HEAD, "|---" + "|--:" * (_HEAD.count("|") - 2) + "|"]
    rows += [_row(it) for it in (*figures, total)]
    struck: collections.Counter[str] = collections.Counter()
    for phase in figures:
        struck.update(phase["blows"])
    rows += ["", "| blow | times |", "|---|--:|"]
    rows += [f"| {name.replace('_', ' ')} | {times} |" for name, times in sorted(struck.items())]
    rows += [
        f"| a client hangs up while it waits | {total['clients_gone']} |",
        f"| a request is sent again though it was answered | {total['sent_again']} |",
        f"| a job crashes, hangs, leaks, raises, exits or prints garbage | {total['unruly']} |",
    ]
    return "\n".join(rows) + "\n"


def can_be_written(page: Path, engine: str) -> bool:
    """Return whether there is no such page yet, or one with marks for this engine's tables."""
    return not page.exists() or _MARK.format(engine) in page.read_text()


def write(page: Path, engine: str, text: str) -> None:
    """Put tables into a page between the marks for them, or, without a page, into a new one."""
    if not page.exists():
        page.write_text(text)
        return
    mark = _MARK.format(engine)
    before, rest = page.read_text().split(mark)
    _old, after = rest.split(_END, 1)
    page.write_text(f"{before}{mark}\n\n{text}\n{_END}{after}")


_HEAD = (
    "| phase | jobs | attempts | blows | lost | twice | wrong pictures "
    "| slowest acknowledgement, s | longest without one, s "
    "| dead workers' jobs | slowest elsewhere, s | seconds |"
)


def _row(it: dict[str, Any]) -> str:
    blows = sum(it["blows"].values())
    cells = [
        *(it["phase"], it["jobs"], it["attempts"], blows),
        *(it["lost"], it["twice"], it["wrong_pictures"]),
        *(it["slowest_acknowledgement_s"], it["longest_pause_s"]),
        *(it["moves"], it["slowest_move_s"] if it["moves"] else "-", it["seconds"]),
    ]
    return (
        "| "
        + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
        + " |"
    )


def _together(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    worst = ("most_attempts", "slowest_acknowledgement_s", "longest_pause_s", "slowest_move_s")
    together: dict[str, Any] = {}
    for key, value in figures[0].items():
        values = [phase[key] for phase in figures]
        if key == "blows":
            together[key] = {"all": sum(sum(it.values()) for it in values)}
        elif isinstance(value, int | float):
            together[key] = max(values) if key in worst else round(sum(values), 1)
    return together
