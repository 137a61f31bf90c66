"""The templates that a worker can render."""

from __future__ import annotations

import ast
import traceback
from typing import TYPE_CHECKING, Any

from aiobpy import templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Catalogue:
    """The templates in some files and folders, those that cannot be used among them.

    Args:
        paths: Template files, or folders whose Python files are looked through for templates.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._templates: dict[str, templates.Template] = {}
        self._broken: dict[str, str] = {}
        for path in _files(paths):
            self._load(path)

    def __getitem__(self, name: str) -> templates.Template:
        return self._templates[name]

    def describe(self) -> list[dict[str, Any]]:
        """Return every template as a `wire::TemplateDescription`."""
        usable = [
            {
                "name": template.name,
                "description": template.description,
                "params_schema": template.params_schema,
            }
            for template in self._templates.values()
        ]
        broken = [
            {"name": name, "description": "", "params_schema": {}, "broken": reason}
            for name, reason in self._broken.items()
        ]
        return usable + broken

    def _load(self, path: Path) -> None:
        try:
            template = templates.load(path)
        except templates.TemplateError as error:
            traceback.print_exc()
            self._broken[path.stem] = str(error)
            return
        if template.name in self._templates:
            other = self._templates[template.name].function.__code__.co_filename
            self._broken[path.stem] = f"{path} and {other} both declare {template.name!r}"
            return
        self._templates[template.name] = template


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from filter(_declares_template, sorted(path.glob("*.py")))
        else:
            yield path


def _declares_template(path: Path) -> bool:
    """Whether a file has a function under `@…template(…)`: other files are not run."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if "template" not in text:
        return False
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return "aiobpy" in text
    return any(
        _name_of(decorator) == "template"
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list
    )


def _name_of(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
