"""The templates that a worker can render."""

from __future__ import annotations

import ast
import json
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from aiobpy import templates
from aiobpy.worker.places import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BUILTIN = Path(__file__).with_name("builtin")
"""The templates that are always there, unless they are switched off."""
_MOST_NAMES = 500


class Catalogue:
    """The templates in some files and folders, those that cannot be used among them.

    Args:
        paths: Template files, or folders whose Python files are looked through for templates.
        with_builtins: Whether aiobpy's own templates are among them.
    """

    def __init__(self, paths: Iterable[Path], *, with_builtins: bool = False) -> None:
        self._templates: dict[str, templates.Template] = {}
        self._broken: dict[str, str] = {}
        for path in _builtin_files() if with_builtins else ():
            self._load(path)
        for path in _files(paths):
            self._load(path)

    def __getitem__(self, name: str) -> templates.Template:
        return self._templates[name]

    def to_warm_up(self, pool: str | None) -> list[templates.Template]:
        """Return the templates that want a picture rendered before the worker is ready."""
        wanting = (one for one in self._templates.values() if one.warm_up is not None)
        return [one for one in wanting if pool is None or one.pool in (None, pool)]

    def describe(self) -> list[dict[str, Any]]:
        """Return every template as a `wire::TemplateDescription`."""
        usable = []
        for template in self._templates.values():
            described = template.describe()
            described["params_schema"] = _with_names(template)
            usable.append(described)
        broken = [
            {"name": name, "description": "", "params_schema": {}, "broken": reason}
            for name, reason in self._broken.items()
        ]
        return usable + broken

    def made_of(self) -> dict[str, dict[str, str]]:
        """Return a `wire::MadeOf` of each template whose pictures may answer a request again."""
        return {
            template.name: {
                "code": template.code,
                **({} if template.scene is None else {"scene": str(template.scene)}),
            }
            for template in self._templates.values()
            if template.cache and template.code
        }

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


def _with_names(template: templates.Template) -> dict[str, Any]:
    """A template's schema, with the names of the materials that its scene has."""
    text = json.dumps(template.params_schema)
    wanted = '"format": "material"'
    if wanted not in text or template.scene is None or not template.scene.is_file():
        return template.params_schema
    try:
        with bpy.data.libraries.load(str(template.scene)) as (found, _):
            names = sorted(found.materials)
    except OSError:
        return template.params_schema
    if not 0 < len(names) <= _MOST_NAMES:
        return template.params_schema
    named: dict[str, Any] = json.loads(
        text.replace(wanted, f'{wanted}, "enum": {json.dumps(names)}')
    )
    return named


def _builtin_files() -> Iterator[Path]:
    for path in sorted(_BUILTIN.glob("*.py")):
        # What calls functions of the server's own needs some that may be called.
        if path.stem not in ("__init__", "run") or (path.stem == "run" and places.trusted):
            yield path


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
