"""What a site answers when something is wrong, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiobpy.rpc import Problem

if TYPE_CHECKING:
    from aiobpy._native import Exchange


def unfit(wrong: list[tuple[str, str]]) -> Problem:
    """Return what is wrong with parameters, by name, or with the body, by JSON pointer."""
    count = "a value" if len(wrong) == 1 else f"{len(wrong)} values"
    problem = Problem(
        f"{count} in the request cannot be used as given",
        status=422,
        kind="invalid-request",
        title="The request does not fit the route",
        hint="mend what `errors` points at, and send it again",
    )
    problem.errors = wrong
    return problem


def failed(exchange: Exchange, error: BaseException) -> Problem:
    """Return that a handler raised something that is not for the client's eyes."""
    return Problem(
        f"the handler of {json.dumps(exchange.path)} raised {type(error).__name__}",
        status=500,
        kind="handler-failed",
        title="The handler failed",
        hint="Blender's console shows where",
    )


def no_answer(exchange: Exchange) -> Problem:
    """Return that a handler ended without a word."""
    return Problem(
        f"the handler of {json.dumps(exchange.path)} ended without an answer",
        status=500,
        kind="no-answer",
        title="The handler did not answer",
    )


def unaccepted() -> Problem:
    """Return that a handler did not want a WebSocket."""
    return Problem(
        "the handler did not accept the WebSocket",
        status=403,
        kind="websocket-refused",
        title="The WebSocket was refused",
    )


def not_started(failure: str) -> Problem:
    """Return that an application said that it cannot start."""
    return Problem(
        f"the application did not start: {failure}",
        status=503,
        kind="application-failed",
        title="The application did not start",
        hint="Blender's console shows more; switch the web server off and on to try again",
    )


def cancelled() -> Problem:
    """Return that a handler had no time to answer."""
    return Problem(
        "the handler was cancelled before it answered, as when its add-on is disabled",
        status=503,
        kind="handler-cancelled",
        title="The handler was cancelled",
    )


def taken_down() -> Problem:
    """Return that a site went between the look-up and the answer."""
    return Problem(
        "the site was taken down before the request was answered",
        status=503,
        kind="site-taken-down",
        title="The site was taken down",
    )
