"""Template files, good and bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiobpy import templates

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '''
import aiobpy

@aiobpy.template(scene="mug.blend")
def mug(size: float = 1.0) -> None:
    """A mug."""
    chosen.append(size)

chosen = []
'''


def write(folder: Path, text: str) -> Path:
    file = folder / "mug.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_template_knows_its_name_its_scene_and_its_parameters(tmp_path: Path) -> None:
    mug = templates.load(write(tmp_path, GOOD))
    assert (mug.name, mug.scene, mug.description) == ("mug", tmp_path / "mug.blend", "A mug.")
    mug.function(**mug.arguments({"size": 2}))
    mug.function(**mug.arguments({}))
    assert mug.function.__globals__["chosen"] == [2.0, 1.0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module", "cannot be imported: ModuleNotFoundError"),
        ("def (", "cannot be imported: SyntaxError"),
        ("x = 1", r"declares 0 \(none\)"),
        (
            GOOD + "\n@aiobpy.template()\ndef cup() -> None:\n    pass\n",
            r"declares 2 \(cup, mug\)",
        ),
        ("import aiobpy\n@aiobpy.template()\ndef mug(size) -> None:\n    pass\n", "has no type"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(templates.TemplateError, match=why):
        templates.load(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(templates.TemplateError, match=r"no template file .*nowhere\.py"):
        templates.load(tmp_path / "nowhere.py")
