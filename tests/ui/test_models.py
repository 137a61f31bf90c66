"""What a dialog asks for: the rows that are made of a class, and the class of what was entered."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

import aiobpy
from aiobpy.ui import models


class Kind(enum.Enum):
    MESH = 1
    POINT_CLOUD = 2


@dataclass
class Everything:
    flag: bool
    count: Annotated[int, aiobpy.Range(1, 10)]
    ratio: float
    name: Annotated[str, aiobpy.MaxLength(3)]
    path: Path
    target_folder: Path | None
    kind: Kind
    axis: Literal["X", 2]
    size: tuple[int, int]
    place: tuple[float, float, float]
    paint: aiobpy.Colour = "#ff8000"
    hidden: int = field(default=7, init=False)
    tint: tuple[float, float, float] = field(default=(1, 0, 0), metadata={"subtype": 'COLOR'})


def entered(model: models.Model, **changed: Any) -> Any:
    """Build the answer from what stands there at first, but for what was changed."""
    return model.build(
        {row.name: row.read(changed.get(row.name, row.initial)) for row in model.fields}
    )


def test_fields_without_a_default_begin_with_nothing() -> None:
    answer = entered(models.of(Everything))
    assert answer == Everything(
        flag=False,
        count=0,
        ratio=0.0,
        name="",
        path=Path(),
        target_folder=None,
        kind=Kind.MESH,
        axis="X",
        size=(0, 0),
        place=(0.0, 0.0, 0.0),
    )


def test_an_instance_brings_its_values() -> None:
    asked = Everything(
        flag=True,
        count=2,
        ratio=0.1,
        name="abc",
        path=Path("/tmp/x"),
        target_folder=Path("/tmp"),
        kind=Kind.POINT_CLOUD,
        axis=2,
        size=(3, 4),
        place=(0.1, 0.2, 0.3),
        paint="#012345",
    )
    assert entered(models.of(asked)) == asked


def test_the_rows_are_as_the_annotations_say() -> None:
    rows = {row.name: row for row in models.of(Everything).fields}
    assert "hidden" not in rows
    assert rows["count"].keywords == {"name": "Count", "min": 1, "max": 10}
    assert rows["path"].keywords == {"name": "Path", "subtype": 'FILE_PATH'}
    assert rows["target_folder"].keywords == {"name": "Target Folder", "subtype": 'DIR_PATH'}
    assert rows["kind"].keywords["items"] == [("0", "Mesh", ""), ("1", "Point Cloud", "")]
    assert rows["tint"].keywords["subtype"] == 'COLOR'
    assert rows["name"].complaint("abcd") == "has 4 characters; 3 are allowed"
    assert rows["name"].property == "field_name", "an operator has a name of its own"


def test_single_precision_does_not_show() -> None:
    (row,) = models.of(Ratio).fields
    assert row.read(0.10000000149011612) == 0.1
    assert row.read(0.30000001192092896) == 0.3
    assert row.read(1234567.875) == 1234567.9


@dataclass
class Ratio:
    ratio: float = 0.1


def test_names_are_for_people() -> None:
    assert models.of(Everything).name == "Everything"
    assert models._for_people("ImportSettings") == "Import Settings"
    assert models._for_people("use_fast_path") == "Use Fast Path"


@dataclass
class List:
    names: list[str]


@dataclass
class Mixed:
    pair: tuple[int, str]


@dataclass
class Endless:
    many: tuple[float, ...]


@dataclass
class Huge:
    number: int = 2**40


@dataclass
class Wrong:
    axis: Literal["X", "Y"] = "Z"  # type: ignore[assignment]


@dataclass
class Short:
    place: tuple[float, float] = (1.0,)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (List, "its field 'names' has the type list"),
        (Mixed, "its field 'pair' is a tuple, but not of 1 to 32"),
        (Endless, "its field 'many' is a tuple"),
        (Huge, "its field 'number' begins with 1099511627776; Blender has integers of 32 bits"),
        (Wrong, "its field 'axis' begins with 'Z', which is none of"),
        (Short, "its field 'place' begins with .*, which are not 2 values"),
        (int, "neither a dataclass nor a class of bpy.props"),
        (7, "neither a dataclass"),
    ],
)
def test_what_no_dialog_can_show_is_refused(model: Any, complaint: str) -> None:
    with (
        aiobpy.owner("bl_ext.user_default.chairs"),
        pytest.raises(models.UnsupportedFieldError, match=complaint) as refusal,
    ):
        models.of(model)
    assert str(refusal.value).startswith("chairs asks for a dialog")
