"""Questions to the client that calls a method: to its person, and to its language model.

In the revision 2025-11-25 of the protocol, a question goes to the client while the method waits. In
2026-07-28 the method ends with the question, and is called anew with the answer: it runs again from
its beginning, and `ask` returns what was answered. So let a method ask before it changes anything.
"""

from __future__ import annotations

import base64
import contextvars
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiobpy.problem import Problem
from aiobpy.rpc import ask as ask_now
from aiobpy.rpc import current

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEEDED: Final = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a client must have said that it can, for each question."""


async def elicit(key: str, message: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the person at the client.

    Args:
        key: Names the question; a method asks each only once.
        message: What the person reads.
        schema: The JSON Schema of a flat object: the form.

    Returns:
        `action` (`accept`, `decline` or `cancel`) and, where it is `accept`, `content`.

    Raises:
        Problem: The client cannot be asked.
    """
    params = {"mode": "form", "message": message, "requestedSchema": dict(schema)}
    answer: dict[str, Any] = (await ask({key: ("elicitation/create", params)}))[key]
    return answer


async def sample(key: str, prompt: str, *, max_tokens: int = 1000) -> str:
    """Ask the client's language model, and return its text.

    Args:
        key: Names the question; a method asks each only once.
        prompt: What the model reads.
        max_tokens: How much it may say.

    Raises:
        Problem: The client cannot be asked.
    """
    content = {"type": "text", "text": prompt}
    params = {"messages": [{"role": "user", "content": content}], "maxTokens": max_tokens}
    answer = (await ask({key: ("sampling/createMessage", params)}))[key]
    said = answer.get("content", {})
    blocks = said if isinstance(said, list) else [said]
    return "".join(block.get("text", "") for block in blocks)


async def ask(questions: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Ask the client several things at once.

    Args:
        questions: For each key, which nothing else that the method asks may have, a method of the
            client's, as `roots/list`, and its parameters.

    Returns:
        The result of each.

    Raises:
        Problem: The client cannot be asked.
    """
    asking = _round.get()
    if asking is None:
        msg = "there is nobody to ask: the client does not speak the Model Context Protocol"
        raise Problem(msg, kind="nobody-to-ask", title="Nobody to ask")
    missing = {_NEEDED.get(method, method) for method, _ in questions.values()}
    missing -= set(asking.capabilities)
    if missing:
        raise _missing(sorted(missing))
    if not asking.is_stateless:
        return {key: await ask_now(method, params) for key, (method, params) in questions.items()}
    unanswered = {key: ask for key, ask in questions.items() if key not in asking.answers}
    if unanswered:
        raise InputRequired(unanswered, asking.answers)
    return {key: asking.answers[key] for key in questions}


def can_ask(capability: str) -> bool:
    """Return whether the client said that it can: `elicitation`, `sampling` or `roots`."""
    asking = _round.get()
    return asking is not None and capability in asking.capabilities


def log(data: Any, *, level: str = "info") -> None:
    """Tell the client that calls the method that runs, if it wants such messages.

    Args:
        data: A text, or anything that JSON can say.
        level: As syslog has it: `debug`, `info`, `notice`, `warning`, `error`, `critical`, …

    Raises:
        TypeError: JSON cannot say the data.
    """
    if (answer := current()) is not None:
        answer.log(level, json.dumps(data))


@dataclass
class Round:
    """One call of a method by a client that can be asked."""

    is_stateless: bool
    capabilities: Mapping[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)
    """Those of this call and of all before it that led to it."""


class InputRequired(Exception):
    """Ends a call whose client is to answer questions first."""

    def __init__(
        self, questions: Mapping[str, tuple[str, Mapping[str, Any]]], answers: dict[str, Any]
    ) -> None:
        super().__init__("the client is asked first")
        self.questions = questions
        self.answers = answers

    def result(self) -> dict[str, Any]:
        """Return how the protocol has it."""
        requests = {
            key: {"method": method, "params": params}
            for key, (method, params) in self.questions.items()
        }
        state = _signed(self.answers)
        return {"resultType": "input_required", "inputRequests": requests, "requestState": state}


def begin(request: Mapping[str, Any]) -> Round:
    """Return the round that a request begins, and make it that of the calling context.

    Raises:
        Problem: The client's answers are none, or its state is not what we gave it.
    """
    params = request["params"]
    asking = Round(request["is_stateless"], request["capabilities"] or {})
    if "requestState" in params:
        asking.answers.update(_verified(params["requestState"]))
    if "inputResponses" in params:
        responses = params["inputResponses"]
        if not isinstance(responses, dict) or not all(
            isinstance(response, dict) for response in responses.values()
        ):
            msg = "`inputResponses` is an object with an object for each question"
            raise Problem(msg, kind="invalid-params", title="The parameters do not fit", status=422)
        asking.answers.update(responses)
    _round.set(asking)
    return asking


def _signed(answers: dict[str, Any]) -> str:
    text = base64.urlsafe_b64encode(json.dumps(answers).encode()).decode()
    return f"{text}.{_signature(text)}"


def _verified(state: Any) -> dict[str, Any]:
    text, _, signature = str(state).rpartition(".")
    if not hmac.compare_digest(_signature(text), signature):
        msg = "`requestState` is not what this server gave, or it has started anew since"
        raise Problem(msg, kind="invalid-state", title="Not our state", status=400)
    answers: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
    return answers


def _signature(text: str) -> str:
    return hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()


def _missing(capabilities: list[str]) -> Problem:
    problem = Problem(
        f"the method asks the client, which did not say that it can: {', '.join(capabilities)}",
        kind="missing-capability",
        title="The client cannot be asked",
    )
    problem.errors = [(f"/{name}", "is needed") for name in capabilities]
    return problem


_KEY: Final = secrets.token_bytes(32)
_round: contextvars.ContextVar[Round | None] = contextvars.ContextVar("round", default=None)
