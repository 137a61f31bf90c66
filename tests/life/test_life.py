"""A long life in a Blender with a window: nothing leaks and nothing stops, whatever one does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.blender.process_facts import ProcessFacts

if TYPE_CHECKING:
    from aiobpy.uitest.tested import TestedBlender

HERE = Path(__file__).parent
INSIDE = HERE / "inside.py"
ROUNDS = int(os.environ.get("AIOBPY_LIFE_ROUNDS", "2"))
"""Of 26 steps each; 50 make a long life."""
pytestmark = [
    pytest.mark.blender,
    pytest.mark.slow,
    pytest.mark.timeout(600 + 120 * ROUNDS),
    pytest.mark.aiobpy_timeout(300),
]


def test_a_long_life_leaves_nothing_behind(
    aiobpy_blender: TestedBlender, request: pytest.FixtureRequest
) -> None:
    def inside(name: str, **values: Any) -> None:
        aiobpy_blender.run(request.node, str(INSIDE), INSIDE.read_text(), name, values)

    add_ons = {file.stem: file.read_text() for file in (HERE / "add_ons").glob("*.py")}
    inside("install", add_ons=add_ons)
    folder = aiobpy_blender.folder_inside()
    # The first has Blender open what it keeps open, as its own threads and caches.
    inside("one_round", folder=folder)
    inside("what_is_left")
    facts = ProcessFacts(aiobpy_blender.pid)
    before = ours(facts.thread_names()), facts.open_things()
    for _ in range(ROUNDS):
        inside("one_round", folder=folder)
    inside("what_is_left")
    assert (ours(facts.thread_names()), facts.open_things()) == before
    inside("keep_enabled")
    assert "Traceback" not in aiobpy_blender.quit()
    # Now both begin before all else, and Blender quits while they run.
    inside("both_go_on")
    said = aiobpy_blender.quit()
    # The tests after this one get a Blender that does not know these add-ons.
    aiobpy_blender.close()
    assert "Traceback" not in said, said


def ours(thread_names: list[str]) -> list[str]:
    """Leave out Blender's own, which it starts as it needs them."""
    return [name for name in thread_names if name.startswith("aiobpy")]
