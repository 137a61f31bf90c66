"""Templates: a Python file with one typed function that sets a scene up for a picture."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiobpy import schema, values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Function = TypeVar("_Function", bound="Callable[..., None]")


class TemplateError(Exception):
    """A template file that cannot be used; the text says why, and what to do."""


@dataclass(frozen=True)
class Template:
    """One template, as its file declares it."""

    name: str
    """The function's name."""
    function: Callable[..., None]
    scene: Path | None
    """The .blend that is loaded before the function runs; None: Blender's empty scene."""
    description: str
    params_schema: dict[str, Any]
    """A JSON Schema of type `object`."""

    def apply(self, params: Mapping[str, Any]) -> None:
        """Call the function with JSON values that fit the schema; the scene is loaded."""
        annotations = typing.get_type_hints(self.function, include_extras=True)
        self.function(
            **{name: values.from_json(value, annotations[name]) for name, value in params.items()}
        )


def template(*, scene: str | Path | None = None) -> Callable[[_Function], _Function]:
    """Make a typed function a template: `@aiobpy.template(scene="product.blend")`.

    The function's parameters are what a customer may choose: their annotations are checked before
    the job is queued, their defaults and the docstring's `Args:` are what clients are shown. It
    runs with the scene loaded, and should set all that it sets every time: the scene stays loaded
    from one job to the next.

    Args:
        scene: A .blend, relative to the template's file; None for Blender's empty scene.
    """

    def declare(function: _Function) -> _Function:
        file = inspect.getsourcefile(function)
        folder = Path(file).resolve().parent if file else Path.cwd()
        try:
            params_schema = schema.of_function(function)
        except schema.UnknownAnnotationError as error:
            raise TemplateError(str(error)) from None
        function.__aiobpy_template__ = Template(  # type: ignore[attr-defined]
            name=function.__name__,
            function=function,
            scene=None if scene is None else folder / scene,
            description=schema.description_of(function),
            params_schema=params_schema,
        )
        return function

    return declare


def load(path: Path) -> Template:
    """Import a template file and return the one template in it.

    Raises:
        TemplateError: There is no such file, it cannot be imported, or it declares no template or
            more than one.
    """
    if not path.is_file():
        msg = f"there is no template file {path}"
        raise TemplateError(msg)
    name = f"aiobpy_template_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        msg = f"{path} is not a Python file; a template is one, with a name that ends in .py"
        raise TemplateError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except TemplateError:
        raise
    except Exception as error:
        msg = f"the template file {path} cannot be imported: {type(error).__name__}: {error}"
        raise TemplateError(msg) from error
    declared = [getattr(value, "__aiobpy_template__", None) for value in vars(module).values()]
    found = {found.name: found for found in declared if isinstance(found, Template)}
    if len(found) != 1:
        names = ", ".join(sorted(found)) or "none"
        msg = (
            f"{path} must declare one template and declares {len(found)} ({names}); put "
            "@aiobpy.template(scene=…) above one typed function"
        )
        raise TemplateError(msg)
    return next(iter(found.values()))
