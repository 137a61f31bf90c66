"""Resources and prompts that add-ons offer."""

from __future__ import annotations

import enum
import inspect
import json
import re
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from aiobpy import owners, schema, server

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy.methods import Scope

_Function = TypeVar("_Function", bound="Callable[..., Any]")


@dataclass
class Resource:
    """A function that reads resources: those whose URIs fit."""

    name: str
    uri: str
    function: Callable[..., Any]
    owner: owners.Owner
    scope: Scope
    mime_type: str | None
    description: str
    is_long: bool = False

    def __post_init__(self) -> None:
        parts = _PLACE.split(self.uri)
        self.parameters: list[str] = parts[1::2]
        # A place takes one part of a path.
        pattern = "([^/]+)".join(re.escape(part) for part in parts[::2])
        self._pattern = re.compile(pattern)

    def match(self, uri: str) -> dict[str, str] | None:
        """Return what stands in the places of the URI; None if it does not fit."""
        found = self._pattern.fullmatch(uri)
        return None if found is None else dict(zip(self.parameters, found.groups(), strict=True))

    def describe(self) -> str:
        """Return what the server is told of it."""
        return json.dumps(
            {
                "kind": "resource",
                "uri": self.uri,
                "is_template": bool(self.parameters),
                "name": self.name,
                "description": self.description,
                "mime_type": self.mime_type,
                "scope": self.scope,
            }
        )


@dataclass
class Prompt:
    """A function that makes a prompt."""

    name: str
    function: Callable[..., Any]
    owner: owners.Owner
    scope: Scope
    description: str
    is_long: bool = False

    def __post_init__(self) -> None:
        self.annotations = typing.get_type_hints(self.function, include_extras=True)
        self.parameters = inspect.signature(self.function).parameters

    def choices(self, argument: str) -> list[str]:
        """Return the values that an argument may have, if its annotation lists them."""
        annotation = self.annotations.get(argument)
        if typing.get_origin(annotation) is Literal:
            return [str(value) for value in typing.get_args(annotation)]
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return [str(member.value) for member in annotation]
        return []

    def describe(self) -> str:
        """Return what the server is told of it."""
        descriptions = schema.described_arguments(self.function)
        arguments = [
            {
                "name": parameter.name,
                "description": descriptions.get(parameter.name, ""),
                "required": parameter.default is inspect.Parameter.empty,
            }
            for parameter in self.parameters.values()
        ]
        return json.dumps(
            {
                "kind": "prompt",
                "name": self.name,
                "description": self.description,
                "arguments": arguments,
                "scope": self.scope,
            }
        )


def resource(
    uri: str, *, name: str | None = None, mime_type: str | None = None, scope: Scope = "read"
) -> Callable[[_Function], _Function]:
    """Offer what a function returns, a text or bytes, as a resource: `@mcp.resource("cups://all")`.

    Args:
        uri: Names it. With places in it, as in `cups://{name}/size`, it names many, and the
            function gets what stands there as texts.
        name: What a person calls it; the function's own name if left out.
        mime_type: What it is.
        scope: What a client needs to be allowed.

    Raises:
        ValueError: The URI has none of the function's parameters, or others.
    """

    def declare(function: _Function) -> _Function:
        offered = Resource(
            name or function.__name__,
            uri,
            function,
            owners.current(),
            scope,
            mime_type,
            schema.description_of(function),
        )
        if sorted(inspect.signature(function).parameters) != sorted(offered.parameters):
            msg = f"the places of {uri!r} are not the parameters of {function.__qualname__}"
            raise ValueError(msg)
        _offer("resource", uri, offered, resources)
        return function

    return declare


def prompt(*, name: str | None = None, scope: Scope = "read") -> Callable[[_Function], _Function]:
    """Offer a prompt: a text for a language model that a function makes of a few texts.

    It returns a text, or a list of `Message`s. Where an argument's annotation lists its values (an
    enum, a `Literal`), clients complete it.

    Args:
        name: The function's own name if left out.
        scope: What a client needs to be allowed.
    """

    def declare(function: _Function) -> _Function:
        offered = Prompt(
            name or function.__name__,
            function,
            owners.current(),
            scope,
            schema.description_of(function),
        )
        _offer("prompt", offered.name, offered, prompts)
        return function

    return declare


def updated(uri: str) -> None:
    """Tell clients that watch a resource that it reads otherwise now."""
    server.offers.updated(uri)


resources: dict[str, Resource] = {}
"""Those that are offered, by URI."""
prompts: dict[str, Prompt] = {}


def _offer(kind: str, key: str, offered: Any, table: dict[str, Any]) -> None:
    """Offer something for as long as its add-on is enabled."""

    def offer() -> None:
        table[key] = offered
        server.offers.put(offered.describe())
        offered.owner.on_release(withdraw)

    def withdraw() -> None:
        # Another may have taken its place.
        if table.get(key) is offered:
            del table[key]
            server.offers.remove(kind, key)

    offered.owner.on_enable(f"{kind} {key}", offer)
    offer()


_PLACE: Final = re.compile(r"\{(\w+)\}")
