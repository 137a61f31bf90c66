"""JSON Schema from annotations, and Python values from JSON."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pytest

from aiobpy import Colour, MaxLength, Range, schema, values


class Finish(enum.Enum):
    MATT = "matt"
    GLOSS = "gloss"


def mug(
    height: Annotated[float, Range(0.5, 2.0)],
    colour: Colour = "#d13b2a",
    finish: Finish = Finish.MATT,
    camera: Literal["front", "top"] = "front",
    text: Annotated[str, MaxLength(16)] | None = None,
    at: tuple[float, float] = (0.0, 0.0),
    tags: list[int] | None = None,
) -> None:
    """A mug.

    With a handle.

    Args:
        height: In metres,
            without the lid.
        colour: Of the coat.
    """


def test_every_parameter_is_documented_with_its_type_bounds_default_and_text() -> None:
    assert schema.of_function(mug) == {
        "type": "object",
        "properties": {
            "height": {
                "type": "number",
                "minimum": 0.5,
                "maximum": 2.0,
                "description": "In metres, without the lid.",
            },
            "colour": {
                "type": "string",
                "pattern": "^#[0-9a-fA-F]{6}$",
                "format": "color",
                "description": "Of the coat.",
                "default": "#d13b2a",
            },
            "finish": {"enum": ["matt", "gloss"], "default": "matt"},
            "camera": {"enum": ["front", "top"], "default": "front"},
            "text": {
                "anyOf": [{"type": "string", "maxLength": 16}, {"type": "null"}],
                "default": None,
            },
            "at": {
                "type": "array",
                "prefixItems": [{"type": "number"}, {"type": "number"}],
                "minItems": 2,
                "maxItems": 2,
                "default": [0.0, 0.0],
            },
            "tags": {
                "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}],
                "default": None,
            },
        },
        "additionalProperties": False,
        "required": ["height"],
    }
    assert schema.description_of(mug) == "A mug.\n\nWith a handle."


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("gloss", Finish, Finish.GLOSS),
        (2, float, 2.0),
        ([1, 2], tuple[float, ...], (1.0, 2.0)),
        (["matt"], list[Finish], [Finish.MATT]),
        ({"a": "gloss"}, dict[str, Finish], {"a": Finish.GLOSS}),
        ("#ffffff", Colour, "#ffffff"),
    ],
)
def test_values_become_what_the_annotation_says(value: Any, annotation: Any, expected: Any) -> None:
    assert values.from_json(value, annotation) == expected


def test_a_parameter_without_a_type_is_refused_with_a_way_out() -> None:
    def untyped(height) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        pass

    with pytest.raises(schema.UnknownAnnotationError, match=r"'height'.*has no type.*float = 2\.0"):
        schema.of_function(untyped)


def test_a_type_without_a_schema_is_refused_with_a_way_out() -> None:
    def odd(height: complex) -> None:
        pass

    with pytest.raises(schema.UnknownAnnotationError, match="use str, int, float"):
        schema.of_function(odd)
