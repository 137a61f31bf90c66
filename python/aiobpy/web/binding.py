"""How a handler's typed parameters come from a request: its path, its query and its body."""

from __future__ import annotations

import difflib
import inspect
import json
import re
import types
import typing
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

from aiobpy import schema, values
from aiobpy._native import ParamsCheck
from aiobpy.image import Image
from aiobpy.web import problems
from aiobpy.web.forms import Field, Form, Upload
from aiobpy.web.request import Request
from aiobpy.web.texts import reader_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiobpy._native import Exchange


class Body:
    """Marks the parameter that is the body of a request: `Annotated[list[int], web.Body]`.

    A dataclass, a `TypedDict` or a `dict` needs no mark. Marked `bytes`, and `aiobpy.Image`, are
    the body as it comes; all else is JSON.
    """


@dataclass(frozen=True)
class Parameter:
    """A value that a route takes from its path or its query.

    Attributes:
        schema: Of JSON Schema. A list in the query is its name several times.
        description: From the docstring's `Args:`.
    """

    name: str
    place: Literal["path", "query"]
    schema: Mapping[str, Any]
    is_required: bool
    description: str = ""


@dataclass(frozen=True)
class BodyParameter:
    """The body that a route takes.

    Attributes:
        content_type: As in `application/json`; `multipart/form-data` for any form.
        schema: Of JSON Schema; of `{}` for bytes.
    """

    name: str
    content_type: str
    schema: Mapping[str, Any]
    is_required: bool
    description: str = ""


class Binding:
    """Where each parameter of a function comes from.

    Raises:
        TypeError: A parameter has no type, or one that no request can give.
    """

    def __init__(self, function: Callable[..., Any], method: str, pattern: str) -> None:
        self.parameters: list[Parameter] = []
        self.body: BodyParameter | None = None
        self.others: dict[str, Any] = {}
        """Names and annotations of what is no value: the request, a WebSocket."""
        self.takes_form = False
        self._form_name: str | None = None
        self._uploads: dict[str, tuple[bool, bool]] = {}
        """Whether it is a list, and whether it is required."""
        self._slots: dict[str, _Slot] = {}
        self._body: _Slot | None = None
        places = set(_PLACE.findall(pattern))
        described = schema.described_arguments(function)
        hints = typing.get_type_hints(function, include_extras=True)
        for parameter in inspect.signature(function).parameters.values():
            name = parameter.name
            if name not in hints or parameter.kind not in _BY_NAME:
                msg = f"the parameter {name!r} of {function.__qualname__} has no type; write one"
                raise TypeError(msg)
            annotation = hints[name]
            is_required = parameter.default is inspect.Parameter.empty
            description = described.get(name, "")
            if name in places:
                places.discard(name)
                self._add("path", name, annotation, True, description)
            elif getattr(annotation, "is_given_by_the_exchange", False):
                self.others[name] = annotation
            elif annotation is Form or _is_upload(annotation) or _is_marked(annotation, Field):
                self._add_field(function, method, name, annotation, is_required, description)
            elif _is_body(annotation):
                self._add_body(function, method, name, annotation, is_required, description)
            else:
                self._add("query", name, annotation, is_required, description)
        if places and Request not in self.others.values():
            name = places.pop()
            msg = f"{function.__qualname__} has no parameter {name!r}, which {pattern!r} names"
            raise TypeError(msg)
        self._path = [slot for slot in self._slots.values() if slot.place == "path"]
        self._query = {name: slot for name, slot in self._slots.items() if slot.place == "query"}
        self._needs_query = any(slot.is_required for slot in self._query.values())
        self._is_strict = Request not in self.others.values()

    def arguments(self, exchange: Exchange) -> dict[str, Any]:
        """Return the function's arguments.

        Raises:
            Problem: They do not fit.
        """
        given: dict[str, Any] = {}
        wrong: list[tuple[str, str]] = []
        if self._path:
            texts = exchange.parameters
            for slot in self._path:
                slot.take([texts[slot.name]], given, wrong)
        query = exchange.query
        if query or self._needs_query:
            self._take_query(query, given, wrong)
        if self._body is not None:
            self._take_body(exchange, given, wrong)
        elif self.takes_form:
            self._take_form(Form(exchange), given, wrong)
        if wrong:
            raise problems.unfit(wrong)
        for name, kind in self.others.items():
            given[name] = kind(exchange)
        return given

    def _take_form(self, form: Form, given: dict[str, Any], wrong: list[tuple[str, str]]) -> None:
        if self._form_name is not None:
            given[self._form_name] = form
        for name, (is_list, is_required) in self._uploads.items():
            files = [upload for upload in form.uploads if upload.name == name]
            if is_list:
                given[name] = files
            elif files:
                given[name] = files[0]
            elif is_required:
                wrong.append((name, "is missing"))
        for slot in self._slots.values():
            if slot.place == "form":
                texts = [text for name, text in form.fields if name == slot.name]
                if texts:
                    slot.take(texts, given, wrong)
                elif slot.is_required:
                    wrong.append((slot.name, "is missing"))

    def _take_query(self, query: str, given: dict[str, Any], wrong: list[tuple[str, str]]) -> None:
        texts: dict[str, list[str]] = {}
        for name, text in urllib.parse.parse_qsl(query, keep_blank_values=True):
            if name in self._query:
                texts.setdefault(name, []).append(text)
            elif self._is_strict:
                near = difflib.get_close_matches(name, self._query, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                wrong.append((name, f"there is no such parameter{hint}"))
        for name, slot in self._query.items():
            if name in texts:
                slot.take(texts[name], given, wrong)
            elif slot.is_required:
                wrong.append((name, "is missing"))

    def _take_body(
        self, exchange: Exchange, given: dict[str, Any], wrong: list[tuple[str, str]]
    ) -> None:
        slot = self._body
        body = exchange.body
        assert slot is not None
        if body is None or (not body and slot.is_raw):
            if slot.is_required:
                wrong.append(("", "the body is missing"))
            return
        if slot.is_raw:
            try:
                given[slot.name] = slot.read(body)
            except ValueError as error:
                wrong.append(("", str(error)))
            return
        slot.take_json(body.decode(), given, wrong)

    def _add(
        self,
        place: Literal["path", "query"],
        name: str,
        annotation: Any,
        is_required: bool,
        description: str,
    ) -> None:
        of_value = schema.of_annotation(annotation, name)
        self._slots[name] = _Slot(name, place, annotation, of_value, is_required)
        self.parameters.append(Parameter(name, place, of_value, is_required, description))

    def _add_field(
        self,
        function: Callable[..., Any],
        method: str,
        name: str,
        annotation: Any,
        is_required: bool,
        description: str,
    ) -> None:
        if method in ("GET", "HEAD") or (self.body is not None and not self.takes_form):
            msg = f"{name!r} of {function.__qualname__} is of a form, and there is none"
            raise TypeError(msg)
        self.takes_form = True
        of_value: dict[str, Any] = {"type": "string", "contentMediaType": "*/*"}
        if annotation is Form:
            self._form_name = name
            is_required = False
        elif _is_upload(annotation):
            is_list = typing.get_origin(annotation) is list
            self._uploads[name] = (is_list, is_required)
            if is_list:
                of_value = {"type": "array", "items": of_value}
        else:
            of_value = schema.of_annotation(annotation, name)
            self._slots[name] = _Slot(name, "form", annotation, of_value, is_required)
        before: Mapping[str, Any] = {} if self.body is None else self.body.schema
        properties = dict(before.get("properties", {}))
        required = list(before.get("required", []))
        if annotation is not Form:
            properties[name] = {**of_value, **({"description": description} if description else {})}
        if is_required:
            required.append(name)
        whole = {"type": "object", "properties": properties, "required": required}
        self.body = BodyParameter("form", "multipart/form-data", whole, bool(required))

    def _add_body(
        self,
        function: Callable[..., Any],
        method: str,
        name: str,
        annotation: Any,
        is_required: bool,
        description: str,
    ) -> None:
        if self.body is not None or method in ("GET", "HEAD"):
            why = f"has one already, {self.body.name!r}" if self.body else f"has none with {method}"
            msg = f"{name!r} of {function.__qualname__} would be the body of a request, which {why}"
            raise TypeError(msg)
        plain = typing.get_args(annotation)[0] if _is_marked(annotation) else annotation
        of_value = schema.of_annotation(annotation, name)
        content_type = {bytes: "application/octet-stream", Image: "image/*"}.get(plain)
        self._body = _Slot(name, "body", annotation, of_value, is_required)
        if content_type:
            self._body.is_raw = True
            self._body.read = Image if plain is Image else bytes
            of_value = {}
        self.body = BodyParameter(
            name, content_type or "application/json", of_value, is_required, description
        )


class _Slot:
    """Where one parameter's value is made of what a request says."""

    def __init__(
        self, name: str, place: str, annotation: Any, of_value: dict[str, Any], is_required: bool
    ) -> None:
        self.name = name
        self.place = place
        self.is_required = is_required
        self.is_raw = False
        self.read: Callable[[Any], Any] = str
        self.is_list = False
        if place != "body":
            item = schema.list_item(of_value) if place != "path" else None
            self.is_list = item is not None
            self.read = reader_of(of_value if item is None else item, name)
        self._convert = values.converter(annotation)
        is_plain = not of_value.keys() - _MEANINGLESS and of_value.get("type") in _SCALARS
        self._check = None if is_plain else ParamsCheck(json.dumps(of_value))
        self._members = _members_of(of_value)

    def take(self, texts: list[str], given: dict[str, Any], wrong: list[tuple[str, str]]) -> None:
        """Take the value that the texts say."""
        if len(texts) > 1 and not self.is_list:
            wrong.append((self.name, "is given more than once"))
            return
        try:
            read = [self.read(text) for text in texts]
            value = read if self.is_list else read[0]
            if self._check is not None and (unfit := self._check.wrong(json.dumps(value))):
                wrong.extend((self.name, detail) for _, detail in unfit)
                return
            given[self.name] = value if self._convert is None else self._convert(value)
        except ValueError as error:
            wrong.append((self.name, str(error)))

    def take_json(self, text: str, given: dict[str, Any], wrong: list[tuple[str, str]]) -> None:
        """Take the value of a text that is JSON."""
        value = json.loads(text)
        unfit = [] if self._check is None else self._check.wrong(text)
        if self._members is not None and isinstance(value, dict):
            unfit += [
                (f"/{name.replace('~', '~0').replace('/', '~1')}", "there is no such member")
                for name in value.keys() - self._members
            ]
        if unfit:
            wrong.extend(unfit)
            return
        try:
            given[self.name] = value if self._convert is None else self._convert(value)
        except values.UnfitError as error:
            wrong.append((error.pointer, str(error)))


_PLACE: Final = re.compile(r"\{\*?(\w+)\}")
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MEANINGLESS: Final = {"type", "title", "description", "default"}
_SCALARS: Final = {"string", "integer", "number", "boolean"}


def _is_body(annotation: Any) -> bool:
    """Return whether only a body can hold it."""
    if _is_marked(annotation) or annotation is Image:
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _is_body(arguments[0])
    if origin is Union or isinstance(annotation, types.UnionType):
        return any(_is_body(member) for member in arguments)
    return annotation is dict or origin is dict or schema.members_of(annotation) is not None


def _is_marked(annotation: Any, mark: type = Body) -> bool:
    return typing.get_origin(annotation) is Annotated and any(
        given is mark or isinstance(given, mark) for given in typing.get_args(annotation)[1:]
    )


def _is_upload(annotation: Any) -> bool:
    arguments = typing.get_args(annotation)
    return annotation is Upload or (
        bool(arguments)
        and set(arguments) <= {Upload, type(None)}
        and (typing.get_origin(annotation) is list or type(None) in arguments)
    )


def _members_of(of_value: Mapping[str, Any]) -> set[str] | None:
    """Return the members that an object may have; None for any."""
    if of_value.get("additionalProperties") is False:
        return set(of_value["properties"])
    return None
