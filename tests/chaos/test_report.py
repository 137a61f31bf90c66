"""The tables of a run, and where they are put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chaos import report
from tests.chaos.audit import Verdict
from tests.chaos.clients import Ledger
from tests.chaos.run import Outcome, is_good

if TYPE_CHECKING:
    from pathlib import Path


def figures(name: str, jobs: int, **verdict: Any) -> dict[str, Any]:
    ledger = Ledger(jobs={f"{name}-{number}": number for number in range(jobs)}, slowest=jobs / 10)
    found = Verdict(**verdict)
    found.attempts.update([1] * (jobs - 1) + [3])
    outcome = Outcome(name, ledger, found, {"kill_a_worker": jobs}, [0.5, jobs / 4], 12.34)
    return {"phase": name, **outcome.figures()}


def test_a_row_tells_of_a_phase_and_the_last_of_all() -> None:
    text = report.tables([figures("calm", 10), figures("storm", 20)])
    assert "| calm | 10 | 12 | 10 | 0 | 0 | 0 | 1.0 | 0.0 | 2 | 2.5 | 12.3 |" in text
    assert "| **together** | 30 | 34 | 30 | 0 | 0 | 0 | 2.0 | 0.0 | 4 | 5.0 | 24.6 |" in text
    assert "| kill a worker | 30 |" in text


def test_one_lost_job_is_too_many() -> None:
    assert is_good([figures("calm", 10)])
    assert not is_good([figures("calm", 10), figures("storm", 20, lost=1)])
    assert not is_good([figures("storm", 20, wrong_pictures=1)])


def test_tables_take_the_place_of_those_of_the_run_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    mark = "<!-- written by `cargo xtask chaos --engine nats --report`: from here -->"
    page.write_text(f"# Title\n\n{mark}\nold\n<!-- to here -->\n\nThe end.\n")
    report.write(page, "nats", "new\n")
    assert page.read_text() == f"# Title\n\n{mark}\n\nnew\n\n<!-- to here -->\n\nThe end.\n"
    assert report.can_be_written(page, "nats")
    assert not report.can_be_written(page, "embedded")
    report.write(tmp_path / "other.md", "nats", "new\n")
    assert (tmp_path / "other.md").read_text() == "new\n"
