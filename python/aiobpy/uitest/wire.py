"""A wire to what runs inside Blender: the test asks for a step, the other end answers."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 90.0
"""Seconds that a step inside Blender may take; software GL on a busy machine is slow."""


class NoAnswerError(AssertionError):
    """Blender did not answer in time."""


class HungUpError(NoAnswerError):
    """Blender's end of the wire was closed, as it is when Blender ends."""


class Wire:
    """The test's end of a socket whose other end Blender inherits.

    Args:
        said: Returns what Blender has printed so far, for the message when something fails.
    """

    def __init__(self, said: Callable[[], str]) -> None:
        self._said = said
        self._ours, self._theirs = socket.socketpair()
        self._answers = self._ours.makefile("r", encoding="utf-8")

    def fileno(self) -> int:
        """Return the descriptor for Blender, to be passed on when its process is started."""
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """Drop our copy of Blender's end, once Blender has its own."""
        self._theirs.close()

    def ask(self, step: str, **arguments: Any) -> Any:
        """Have the other end do a step and return what the step returned.

        Raises:
            AssertionError: The step failed.
            NoAnswerError: Blender did not answer.
        """
        return self.ask_for(PATIENCE, step, arguments)

    def ask_for(self, seconds: float, step: str, arguments: dict[str, Any]) -> Any:
        """Do the same, and wait so many seconds for the answer."""
        question = json.dumps({"step": step, "arguments": arguments})
        asked = question if len(question) < _SHOWN else f"{question[:_SHOWN]} …"
        self._ours.settimeout(seconds)
        try:
            self._ours.sendall(question.encode() + b"\n")
            line = self._answers.readline()
        except TimeoutError as error:
            msg = f"no answer to {asked}: {error}\n{self._said()}"
            raise NoAnswerError(msg) from error
        except OSError:
            line = ""
        if not line:
            msg = f"Blender went away at {asked}:\n{self._said()}"
            raise HungUpError(msg)
        answer = json.loads(line)
        assert "error" not in answer, f"{asked} failed:\n{answer['error']}\n{self._said()}"
        return answer["result"]

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._ours.close()
        self._theirs.close()


_SHOWN: Final = 300
"""Characters of a question that a message quotes."""
