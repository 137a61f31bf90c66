"""Templates: a Python file with one typed function that sets a scene up for a picture."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from aiobpy import schema, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_Function = TypeVar("_Function", bound="Callable[..., Any]")

RENDERED = ("png", "jpeg", "webp", "avif", "exr", "mp4", "webm")
"""What can be made of any scene by rendering it: `wire::OutputFormat::RENDERED`."""
FORMATS = (*RENDERED, "json", "glb", "usdz", "usdc", "fbx")
"""All formats that there are: `wire::OutputFormat`."""

BetweenJobs = Literal["restore", "reload", "keep"]
"""What is done to the scene after a job, so that nothing leaks into the next one."""


class TemplateError(Exception):
    """A template file that cannot be used; the text says why, and what to do."""


@dataclass(frozen=True)
class Template:
    """One template, as its file declares it."""

    name: str
    """The function's name, if no other is given."""
    function: Callable[..., Any]
    scene: Path | None
    """The .blend that is loaded before the function runs; None: Blender's empty scene."""
    description: str
    params_schema: dict[str, Any]
    """A JSON Schema of type `object`."""
    formats: tuple[str, ...] = RENDERED
    """What it can make; the first is what it makes if a job asks for nothing else."""
    scene_from: str | None = None
    """The parameter that names the .blend, in the place of `scene`."""
    output_parameter: str | None = None
    """The parameter that takes the `Output`: the function makes the file itself."""
    pool: str | None = None
    """The workers that may do its jobs; None: the usual ones."""
    warm_up: dict[str, Any] | None = None
    """The parameters of a picture that a worker renders before it says that it is ready."""
    shared: bool = False
    """Whether one tenant's job leaves nothing to another's, as its author vouches."""
    trusted: bool = False
    """Whether scripts in its .blend run by themselves."""
    between_jobs: BetweenJobs = "restore"
    apply_modifiers: tuple[str, ...] = ()
    """Objects of its scene whose modifiers no job changes."""
    cache: bool = True
    """Whether what it has made answers the same request again."""
    code: str = ""
    """A hash of its Python file as it was loaded."""
    shows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The parts of the scene that parameters switch, by parameter."""

    def describe(self) -> dict[str, Any]:
        """Return it as a `wire::TemplateDescription`."""
        described: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "params_schema": self.params_schema,
            "formats": list(self.formats),
            "shared": self.shared,
        }
        for name in ("pool", "scene_from"):
            if (value := getattr(self, name)) is not None:
                described[name] = value
        return described

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the function is called with, of JSON values that fit the schema.

        Raises:
            UnfitError: A value fits the schema, but there is nothing of that name or kind.
        """
        annotations = typing.get_type_hints(self.function, include_extras=True)
        given = values.members_from_json(dict(params), annotations)
        defaults = {
            parameter.name: parameter.default
            for parameter in inspect.signature(self.function).parameters.values()
            if parameter.default is not inspect.Parameter.empty
        }
        return {**defaults, **given}


def template(
    *,
    scene: str | Path | None = None,
    scene_from: str | None = None,
    name: str | None = None,
    formats: Iterable[str] | None = None,
    pool: str | None = None,
    warm_up: Mapping[str, Any] | None = None,
    shared: bool = False,
    trusted: bool = False,
    between_jobs: BetweenJobs = "restore",
    apply_modifiers: Iterable[str] = (),
    cache: bool = True,
) -> Callable[[_Function], _Function]:
    """Make a typed function a template: `@aiobpy.template(scene="product.blend")`.

    The function's parameters are what a customer may choose: their annotations are checked before
    the job is queued, their defaults and the docstring's `Args:` are what clients are shown. It
    runs with the scene loaded, and the scene is rendered after it. A function with a parameter of
    the type `aiobpy.Output` makes the file itself; where the format is json, that is what the
    function returns.

    Args:
        scene: A .blend, relative to the template's file; None for Blender's empty scene.
        scene_from: The parameter, an `aiobpy.BlendFile`, that names the .blend instead.
        name: The template's name, if it is not the function's.
        formats: What it makes, the usual one first; all pictures and videos if left out.
        pool: The workers that may do its jobs, by the name of their pool.
        warm_up: Parameters of a small picture that each worker renders before it is ready.
        shared: You vouch that a tenant's job leaves nothing behind that another tenant's could
            find: the worker then serves both.
        trusted: Let scripts in the .blend run by themselves.
        between_jobs: `restore` sets back what the function has changed, and loads the scene anew if
            that cannot be done; `reload` always loads it anew; `keep` leaves it as it is, for a
            function that sets all that it sets each time.
        apply_modifiers: Mesh objects of `scene` whose modifiers no job changes, nor what these
            depend on, as where an object is that cuts. A worker applies them once, as they are for
            the render, and from then on loads a copy of its own: what the function sees are meshes
            without modifiers, and `bpy.data.filepath` is the copy's.
        cache: What it has made answers the same request again. False where a picture depends on
            more than the parameters, the template's file and the scene: on the time, a database, a
            texture beside the scene.
    """

    def declare(function: _Function) -> _Function:
        made = tuple(formats or RENDERED)
        if unknown := [kind for kind in made if kind not in FORMATS]:
            msg = f"there is no format {unknown[0]!r}; there are: {', '.join(FORMATS)}"
            raise TemplateError(msg)
        file = inspect.getsourcefile(function)
        folder = Path(file).resolve().parent if file else Path.cwd()
        output_parameter = output_parameter_of(function)
        try:
            params_schema = schema.of_function(function, without=output_parameter)
        except schema.UnknownAnnotationError as error:
            raise TemplateError(str(error)) from None
        if isinstance(apply_modifiers, str) or (apply_modifiers and scene is None):
            msg = f"apply_modifiers={apply_modifiers!r}: name objects of `scene`, as in ['Lid']"
            raise TemplateError(msg)
        for parameter in filter(None, [scene_from]):
            if parameter not in params_schema["properties"]:
                msg = f"{function.__name__} has no parameter {parameter!r} to name its scene"
                raise TemplateError(msg)
        function.__aiobpy_template__ = Template(  # type: ignore[attr-defined]
            name=name or function.__name__,
            function=function,
            scene=None if scene is None else folder / scene,
            description=schema.description_of(function),
            params_schema=params_schema,
            formats=made,
            scene_from=scene_from,
            output_parameter=output_parameter,
            pool=pool,
            warm_up=None if warm_up is None else dict(warm_up),
            shared=shared,
            trusted=trusted,
            between_jobs=between_jobs,
            apply_modifiers=tuple(apply_modifiers),
            cache=cache,
            shows=_parts_shown(function),
        )
        return function

    return declare


def load(path: Path) -> Template:
    """Import a template file and return the one template in it.

    Raises:
        TemplateError: There is no such file, it cannot be imported, or it declares no template or
            more than one.
    """
    code = hash_of(path)
    module = load_module(path)
    declared = [getattr(value, "__aiobpy_template__", None) for value in vars(module).values()]
    found = {found.name: found for found in declared if isinstance(found, Template)}
    if len(found) != 1:
        names = ", ".join(sorted(found)) or "none"
        msg = (
            f"{path} must declare one template and declares {len(found)} ({names}); put "
            "@aiobpy.template(scene=…) above one typed function"
        )
        raise TemplateError(msg)
    return replace(next(iter(found.values())), code=code)


def hash_of(path: Path) -> str:
    """Return a hash of what is in a file; empty if it cannot be read."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
    except OSError:
        return ""


def load_module(path: Path) -> Any:
    """Run a Python file as a module of its own.

    Raises:
        TemplateError: There is no such file, or it cannot be imported.
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
    return module


def output_parameter_of(function: Callable[..., Any]) -> str | None:
    """Return the parameter that takes what the job is to make; None if there is none."""
    hints = typing.get_type_hints(function)
    marked = (name for name, hint in hints.items() if getattr(hint, "is_given_by_worker", False))
    return next((name for name in marked if name != "return"), None)


def _parts_shown(function: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name: extra.names
        for name, hint in hints.items()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, schema.Shows)
    }
