"""What a site answers at one address, as documentation has it: of plain values."""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from aiobpy import schema
from aiobpy.image import Image
from aiobpy.web.responses import File, Response, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiobpy.web.binding import BodyParameter, Parameter

Scope = Literal["read", "control", "files", "exec", "admin"]
Kind = Literal["function", "websocket", "events", "snapshot", "application", "folder"]


@dataclass(frozen=True)
class Result:
    """What a route answers when all is well.

    Attributes:
        content_type: None for no body at all.
        schema: Of JSON Schema; empty for what is not said, or no JSON.
    """

    status: int
    content_type: str | None
    schema: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Route:
    """One address of a site, and who answers it.

    Attributes:
        kind: Who answers: a function, a whole ASGI application, …
        method: As in `GET`; empty for every method, as an application has it.
        pattern: Below the site's prefix, as in `/objects/{name}`; `{*rest}` is all that follows.
        function: The handler; for an application, that.
        scope: What a client needs: read < control < files < exec < admin.
        result: None where it cannot be known, as of an application.
        summary: The first line of the docstring.
        description: The docstring without its `Args:` and what follows.
        cache: For how many seconds an answer is given again without asking Python.
    """

    kind: Kind
    method: str
    pattern: str
    function: Callable[..., Any] | None
    scope: Scope
    parameters: tuple[Parameter, ...] = ()
    body: BodyParameter | None = None
    result: Result | None = None
    summary: str = ""
    description: str = ""
    cache: float | None = None
    is_tool: bool = True
    """Whether language models may call it, by the Model Context Protocol."""
    answer: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Who answers, as the server has it."""

    @property
    def handler(self) -> int | None:
        """The number of its handler; None if Rust answers."""
        number: int | None = self.answer.get("handler")
        return number

    def to_wire(self) -> dict[str, Any]:
        """Return it as the server has it: `RouteDescription`."""
        methods = [self.method] if self.method else []
        described = {
            "pattern": self.pattern,
            "methods": methods,
            "scope": self.scope,
            "answer": dict(self.answer),
        }
        if self.kind == "function":
            described["operation"] = self.operation()
        return described

    def operation(self) -> dict[str, Any]:
        """Return what OpenAPI says of it, without its problems: an Operation Object."""
        operation: dict[str, Any] = {"x-tool": self.is_tool}
        if self.function is not None:
            operation["x-function"] = self.function.__name__
        if self.summary:
            operation["summary"] = self.summary
        if self.description:
            operation["description"] = self.description
        if self.parameters:
            operation["parameters"] = [_parameter(parameter) for parameter in self.parameters]
        if self.body is not None:
            operation["requestBody"] = {
                "description": self.body.description,
                "required": self.body.is_required,
                "content": {self.body.content_type: {"schema": dict(self.body.schema)}},
            }
        if self.result is not None:
            answered: dict[str, Any] = {"description": "What is answered."}
            if self.result.content_type is not None:
                kind = self.result.content_type.partition(";")[0]
                answered["content"] = {kind: {"schema": dict(self.result.schema)}}
            # A handler may choose another status by a `Response`.
            operation["responses"] = {str(self.result.status): answered}
        return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.is_required,
        "schema": dict(parameter.schema),
    }
    return (
        {**described, "description": parameter.description} if parameter.description else described
    )


def result_of(function: Callable[..., Any]) -> Result:
    """Return what a handler answers, as far as its annotation says."""
    hint = typing.get_type_hints(function, include_extras=True).get("return", Any)
    if hint is type(None):
        return Result(204, None, {})
    if hint is str:
        return Result(200, "text/plain; charset=utf-8", {"type": "string"})
    if hint is bytes or hint in (File, Stream):
        return Result(200, "application/octet-stream", {})
    if hint is Image:
        return Result(200, "image/*", {})
    if hint is Response:
        return Result(200, "*/*", {})
    try:
        return Result(200, "application/json", schema.of_annotation(hint, "the result"))
    except schema.UnknownAnnotationError:
        return Result(200, "application/json", {})


def described(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the summary and the description of a function."""
    if not inspect.getdoc(function):
        return function.__name__.replace("_", " "), ""
    description = schema.description_of(function)
    return description.partition("\n")[0], description
