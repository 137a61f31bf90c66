"""How long a tick may last, and how often Blender is asked to come: decided from plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IDLE_PASS: Final = 0.0065
"""Seconds: Blender sleeps 5 ms in a pass in which it has nothing to do. A longer one has worked."""

BUSY_SHARE: Final = 0.04
"""While Blender shows something that must not stutter, callbacks have this part of its pass."""

LEAST_BUDGET: Final = 0.0003
"""Seconds that callbacks have even then: work that is never done helps nobody."""

LINGER: Final = 0.15
"""Seconds without traffic after which Blender is no longer asked to come more often."""

VISITS_WITH_WORK: Final = 3
"""So many visits in a row that found work are traffic."""


@dataclass(slots=True)
class Blender:
    """What Blender is at.

    Attributes:
        is_animating: An animation plays in one of its windows.
        pass_seconds: How long its last pass took, the time in our tick left out.
    """

    is_animating: bool = False
    pass_seconds: float = 0.0


def budget(preferred: float, blender: Blender) -> float:
    """Return the seconds that the next tick may last.

    While Blender draws for somebody who watches, as in a playback, a transform or a menu that
    follows the pointer, a small part of its pass; else what is preferred. That a modal operator
    runs says nothing: add-ons have some that run for as long as Blender does.
    """
    if not (blender.is_animating or blender.pass_seconds > IDLE_PASS):
        return preferred
    return min(preferred, max(LEAST_BUDGET, BUSY_SHARE * blender.pass_seconds))


@dataclass(slots=True)
class Traffic:
    """Whether so much comes in that Blender's own pace is too slow for it."""

    visits_with_work: int = 0
    last_work: float = float("-inf")
    is_heavy: bool = False

    def has_ended(self) -> bool:
        """Return whether visits that find nothing need not be taken into account."""
        return self.visits_with_work == 0 and not self.is_heavy

    def note(self, now: float, found_work: bool) -> bool:
        """Take one visit into account; return whether Blender should come more often.

        Args:
            now: Seconds of a monotonic clock.
            found_work: Whether anything was ready at this visit.
        """
        if found_work:
            self.visits_with_work += 1
            self.last_work = now
            self.is_heavy = self.is_heavy or self.visits_with_work >= VISITS_WITH_WORK
        else:
            self.visits_with_work = 0
            self.is_heavy = self.is_heavy and now - self.last_work < LINGER
        return self.is_heavy
