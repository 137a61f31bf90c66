"""Requests of the Model Context Protocol that only Python can answer. Called in the loop."""

from __future__ import annotations

import contextvars
import json
from typing import TYPE_CHECKING, Any

from aiobpy.image import Image
from aiobpy.json_text import dumps
from aiobpy.mcp import content, offering, questions
from aiobpy.problem import Problem, cancelled, not_allowed, unspeakable
from aiobpy.rpc import call, find, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiobpy.mcp.offering import Prompt, Resource
    from aiobpy.rpc import Answer, Telling

_COMPLETIONS = 100
"""The protocol allows no more."""


def dispatch(method: str, text: str, answer: Answer) -> None:
    """Answer one request.

    Args:
        method: As the protocol names it.
        text: A JSON object with the request's `params`, what its client can (`capabilities`), and
            whether its revision is without sessions (`is_stateless`).
        answer: Is answered once.
    """
    request = json.loads(text)
    begin = {
        "tools/call": _call_tool,
        "resources/read": _read_resource,
        "prompts/get": _get_prompt,
        "completion/complete": _complete,
    }[method]
    contextvars.copy_context().run(_begin, begin, request, answer)


def _begin(
    begin: Callable[[dict[str, Any], Answer], None], request: Mapping[str, Any], answer: Answer
) -> None:
    try:
        questions.begin(request)
        begin(request["params"], answer)
    except Problem as problem:
        answer.fail(problem.to_json())


def _call_tool(params: dict[str, Any], answer: Answer) -> None:
    name = _text(params, "name")
    try:
        method = find(name, answer)
    except Problem as problem:
        problem.kind = "unknown-tool" if problem.kind == "unknown-method" else problem.kind
        raise
    if not method.manner.is_tool:
        msg = f"the method {name!r} is not offered as a tool"
        raise Problem(msg, status=404, kind="unknown-tool", title="No such tool")
    telling = _AsTool(name, answer)
    try:
        arguments = method.arguments(json.dumps(params.get("arguments") or {}))
        call(method.function, arguments, answer, telling, method)
    except Exception as error:
        telling.failed(error)


def _read_resource(params: dict[str, Any], answer: Answer) -> None:
    uri = _text(params, "uri")
    resource, arguments = _find_resource(uri, answer)

    def say(value: Any) -> dict[str, Any]:
        return {"contents": [content.contents(uri, _readable(value), resource.mime_type)]}

    _run(resource, arguments, answer, _AsResult(resource.name, answer, say))


def _get_prompt(params: dict[str, Any], answer: Answer) -> None:
    prompt = _find_prompt(_text(params, "name"), answer)
    arguments = params.get("arguments") or {}
    known = prompt.parameters
    missing = [
        name
        for name, parameter in known.items()
        if parameter.default is parameter.empty and name not in arguments
    ]
    if missing or not set(arguments) <= set(known):
        wanted = ", ".join(known) or "none"
        msg = f"the prompt {prompt.name!r} takes the arguments {wanted}; given: {sorted(arguments)}"
        raise Problem(msg, status=422, kind="invalid-params", title="The arguments do not fit")

    def say(value: Any) -> dict[str, Any]:
        values = value if isinstance(value, list | tuple) else [value]
        messages = [
            part if isinstance(part, content.Message) else content.Message(part) for part in values
        ]
        return {
            "description": prompt.description,
            "messages": [message.to_json() for message in messages],
        }

    _run(prompt, arguments, answer, _AsResult(prompt.name, answer, say))


def _complete(params: dict[str, Any], answer: Answer) -> None:
    reference = params.get("ref") or {}
    argument = params.get("argument") or {}
    values: list[str] = []
    if reference.get("type") == "ref/prompt":
        prompt = _find_prompt(_text(reference, "name"), answer)
        begins = str(argument.get("value", "")).casefold()
        choices = prompt.choices(str(argument.get("name")))
        values = [choice for choice in choices if choice.casefold().startswith(begins)]
    shown = values[:_COMPLETIONS]
    completion = {"values": shown, "total": len(values), "hasMore": len(shown) < len(values)}
    answer.send(json.dumps({"completion": completion}))


def _run(
    offered: Resource | Prompt, arguments: Mapping[str, Any], answer: Answer, telling: Telling
) -> None:
    try:
        call(offered.function, arguments, answer, telling, offered)
    except Exception as error:
        telling.failed(error)


class _AsResult:
    """Tells a call's end as the protocol has it."""

    def __init__(self, name: str, answer: Answer, say: Callable[[Any], dict[str, Any]]) -> None:
        self._name = name
        self._answer = answer
        self._say = say

    def done(self, value: Any) -> None:
        try:
            text = json.dumps(self._say(value))
        except (TypeError, ValueError, RecursionError) as error:
            self.failed(unspeakable(self._name, error))
        else:
            self._answer.send(text)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, questions.InputRequired):
            self._answer.send(json.dumps(error.result()))
        else:
            self._refuse(problem_of(self._name, error))

    def _refuse(self, problem: Problem) -> None:
        self._answer.fail(problem.to_json())


class _AsTool(_AsResult):
    """What is wrong with a call is told to the model, so that it may do better."""

    def __init__(self, name: str, answer: Answer) -> None:
        super().__init__(name, answer, content.tool_result)

    def _refuse(self, problem: Problem) -> None:
        if problem.kind in ("missing-capability", cancelled(self._name).kind):
            self._answer.fail(problem.to_json())
            return
        lines = [problem.detail, *(f"{place}: {detail}" for place, detail in problem.errors)]
        if problem.hint is not None:
            lines.append(f"hint: {problem.hint}")
        text = {"type": "text", "text": "\n".join(lines)}
        self._answer.send(json.dumps({"content": [text], "isError": True}))


def _find_resource(uri: str, answer: Answer) -> tuple[Resource, dict[str, str]]:
    exact = offering.resources.get(uri)
    candidates = [exact] if exact else list(offering.resources.values())
    for resource in candidates:
        arguments = resource.match(uri)
        if arguments is None:
            continue
        if not answer.may(resource.scope):
            raise not_allowed(resource.name, resource.scope)
        return resource, arguments
    msg = f"there is no resource {uri!r}"
    raise Problem(msg, status=404, kind="unknown-resource", title="No such resource")


def _find_prompt(name: str, answer: Answer) -> Prompt:
    prompt = offering.prompts.get(name)
    if prompt is None:
        msg = f"there is no prompt {name!r}"
        raise Problem(msg, status=404, kind="unknown-prompt", title="No such prompt")
    if not answer.may(prompt.scope):
        raise not_allowed(name, prompt.scope)
    return prompt


def _readable(value: Any) -> str | bytes:
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Image):
        return value.data
    return dumps(value)


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if isinstance(value, str):
        return value
    msg = f"the parameter {name!r} is missing, or no text"
    raise Problem(msg, status=422, kind="invalid-params", title="The parameters do not fit")
