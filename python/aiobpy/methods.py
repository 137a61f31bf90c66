"""A method as programs see it: its parameters, its result and what is said of it."""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from aiobpy import schema, values
from aiobpy._native import ParamsCheck
from aiobpy.problem import near, unfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiobpy import owners

Scope = Literal["read", "control", "files", "exec", "admin"]
"""What a client may do; each includes those before it."""

SCOPES: Final = typing.get_args(Scope)


@dataclass(frozen=True)
class Manner:
    """How a method is offered."""

    scope: Scope = "control"
    is_long: bool = False
    is_tool: bool = True
    title: str | None = None
    description: str | None = None
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None
    params: dict[str, Any] | None = None
    """The schema of its parameters, if it is not to be that of the annotations."""

    def hints(self) -> dict[str, Any]:
        """Return what is said of it as a tool."""
        hints = {
            "title": self.title,
            "read_only_hint": self.read_only,
            "destructive_hint": self.destructive,
            "idempotent_hint": self.idempotent,
            "open_world_hint": self.open_world,
        }
        return {name: value for name, value in hints.items() if value is not None}


@dataclass
class Method:
    """A function that is offered, and how."""

    name: str
    function: Callable[..., Any]
    owner: owners.Owner
    manner: Manner = field(default_factory=Manner)
    is_offered: bool = False
    """Not before it is registered, nor while its add-on is disabled."""

    def __post_init__(self) -> None:
        of_annotations = schema.of_function(self.function)
        self.params_schema: dict[str, Any] = self.manner.params or of_annotations
        self.annotations = typing.get_type_hints(self.function, include_extras=True)
        self.parameters: list[str] = list(of_annotations["properties"])
        self.check = ParamsCheck(json.dumps(self.params_schema))

    @property
    def is_long(self) -> bool:
        """Whether it takes long."""
        return self.manner.is_long

    def arguments(self, params: str) -> dict[str, Any]:
        """Return the function's arguments.

        Args:
            params: The text of a JSON object, with the parameters by name, or of an array, in their
                order.

        Raises:
            Problem: They do not fit.
        """
        given: Any = json.loads(params)
        if isinstance(given, list):
            given = self._named(given)
            params = json.dumps(given)
        wrong = [
            (f"/{_escaped(name)}", f"there is no such parameter; {near(name, self.parameters)}")
            for name in given
            if name not in self.parameters
        ]
        wrong += self.check.wrong(params)
        if wrong:
            raise unfit(wrong)
        try:
            return values.members_from_json(given, self.annotations)
        except values.UnfitError as error:
            raise unfit([(error.pointer, str(error))]) from error

    def describe(self) -> str:
        """Return what the server is told of it: the text of a JSON object."""
        description = self.manner.description or schema.description_of(self.function)
        return json.dumps(
            {
                "kind": "method",
                "name": self.name,
                "summary": description.partition("\n")[0],
                "description": description,
                "params": self.params_schema,
                "result": schema.of_result(self.function),
                "scope": self.manner.scope,
                "is_long": self.manner.is_long,
                "is_tool": self.manner.is_tool,
                "hints": self.manner.hints(),
                "owner": self.owner.short_name,
            }
        )

    def _named(self, given: list[Any]) -> dict[str, Any]:
        if len(given) > len(self.parameters):
            count = len(self.parameters)
            raise unfit(
                [
                    (f"/{index}", f"the method has {count} parameters")
                    for index in range(count, len(given))
                ]
            )
        return dict(zip(self.parameters, given, strict=False))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
