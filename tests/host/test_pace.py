"""How long a tick may last, and when Blender is asked to come more often."""

from __future__ import annotations

import pytest

from aiobpy.host.pace import LEAST_BUDGET, LINGER, Blender, Traffic, budget

PREFERRED = 0.004


def test_an_idle_blender_gives_the_whole_budget() -> None:
    assert budget(PREFERRED, Blender(pass_seconds=0.0051)) == PREFERRED


@pytest.mark.parametrize(
    "blender",
    [
        Blender(is_animating=True, pass_seconds=0.02),
        Blender(pass_seconds=0.02),
    ],
    ids=["playback", "transform or menu"],
)
def test_a_blender_that_draws_for_somebody_gives_a_small_part_of_its_pass(blender: Blender) -> None:
    assert budget(PREFERRED, blender) == pytest.approx(0.04 * 0.02)


def test_there_is_always_some_budget() -> None:
    assert budget(PREFERRED, Blender(is_animating=True, pass_seconds=0.0)) == LEAST_BUDGET


def test_a_person_who_prefers_less_has_less() -> None:
    assert budget(0.0001, Blender(is_animating=True, pass_seconds=1.0)) == 0.0001


def test_traffic_is_work_at_several_visits_in_a_row() -> None:
    traffic = Traffic()
    assert [traffic.note(now, found) for now, found in [(0, True), (1, True), (2, True)]] == [
        False,
        False,
        True,
    ]
    assert not Traffic(visits_with_work=2).note(0, found_work=False)


def test_traffic_has_ended_when_nothing_came_for_a_while() -> None:
    traffic = Traffic(is_heavy=True, last_work=10.0)
    assert traffic.note(10.0 + LINGER * 0.9, found_work=False)
    assert not traffic.note(10.0 + LINGER * 1.1, found_work=False)
