"""Blender's operators: which there are, what they take, and calls of them."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import bpy

from aiobpy import main_loop
from aiobpy.data import operator_context, operator_scopes, problems, properties, steps
from aiobpy.data.operator_arguments import fit
from aiobpy.data.rights import EVERYTHING, Rights
from aiobpy.problem import Problem

if TYPE_CHECKING:
    from aiobpy.data.operator_context import Context

MOST: Final = 200
_REPORT: Final = re.compile(r"(Debug|Info|Operator|Property|Warning|[\w ]*Error)(?: \w+)?: (.*)")
_CRASH_WITHOUT_AREA: Final = frozenset({"anim.slot_channels_move_to_new_action"})
"""Blender 5.0 does not survive being asked whether it could run."""

_LEVELS: Final = {"Info": 'INFO', "Warning": 'WARNING', "Debug": 'DEBUG', "Operator": 'OPERATOR'}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator.

    Attributes:
        name: As in `mesh.primitive_cube_add`.
        args: By name.
        context: Where it works, and on what.
        undo: Whether it is an undo step.
        dry_run: Whether it is only checked.
    """

    name: str
    args: dict[str, Any] = field(default_factory=dict)
    context: Context | None = None
    undo: bool = True
    dry_run: bool = False


async def search(words: str = "", limit: int = 50, after: str = "") -> dict[str, Any]:
    """Return operators, those that Blender's search would show first.

    Args:
        words: All of them have to be in the name, the label or the description.
        limit: So many at most.
        after: The name of the last one of the page before.

    Returns:
        `{"items": [{name, label, description}], "next": name or null}`, by name.

    Raises:
        Problem: 400, the limit is out of range.
    """
    if not 1 <= limit <= MOST:
        raise problems.malformed(f"`limit` is from 1 to {MOST}, not {limit}")
    wanted = words.casefold().replace(".", " ").replace("_", " ").split()
    items: list[dict[str, str]] = []
    async for name in main_loop.spread([name for name in names() if name > after]):
        about = _about(name)
        if about is None:
            continue
        text = " ".join(about.values()).casefold().replace(".", " ").replace("_", " ")
        if all(word in text for word in wanted):
            items.append(about)
            if len(items) > limit:
                break
    more = len(items) > limit
    items = items[:limit]
    return {"items": items, "next": items[-1]["name"] if more else None}


def describe(name: str) -> dict[str, Any]:
    """Return what an operator is and takes, and whether it could run just now.

    Raises:
        Problem: 404, there is none of that name.
    """
    struct = rna(name)
    arguments = list(_arguments(struct))
    can_run, why_not = poll(name)
    return {
        "name": name,
        "label": struct.name,
        "description": struct.description,
        "scope": operator_scopes.scope_of(name, arguments),
        "arguments": [properties.describe(None, prop) for prop in arguments],
        "can_run": can_run,
        "why_not": why_not,
    }


async def call(asked: Call, rights: Rights = EVERYTHING) -> dict[str, Any]:
    """Call an operator, or say what would happen.

    The mode and the selection that the context names are set first, as a person would do it, and
    put back if the operator does not run. The mode is put back in any case.

    Returns:
        `{name, label, args, result, reports, dry_run}`: the arguments as they were used, those that
        were left out included; `result` as Blender has it, as in `["FINISHED"]`; null in a dry run.

    Raises:
        Problem: 403, the scope does not do; 404, there is none of that name, or no such area,
            object or mode; 409, Blender says that it cannot run now; 422, an argument does not fit.
    """
    struct = rna(asked.name)
    arguments = list(_arguments(struct))
    needed = operator_scopes.scope_of_call(asked.name, arguments, asked.args)
    rights.demand(needed, f"the operator {asked.name}")
    fitted = fit(arguments, asked.args, rights)
    context = asked.context or operator_context.Context()
    is_step = asked.undo and not asked.dry_run and not asked.name.startswith("ed.")
    async with steps.step(struct.name or asked.name, is_wanted=is_step) as step:
        with operator_context.entered(context) as entered:
            can_run, why_not = poll(asked.name)
            if not can_run:
                raise problems.conflict(f"{asked.name} cannot run now: {why_not}", _hint(context))
            told = {"name": asked.name, "label": struct.name, "args": _used(arguments, asked.args)}
            if asked.dry_run:
                return {**told, "result": None, "reports": [], "dry_run": True}
            step.has_begun = True
            result, reports = _run(asked.name, fitted)
            entered.keep_selection()
        return {**told, "result": sorted(result), "reports": reports, "dry_run": False}


def names() -> list[str]:
    """Return the names of all operators, in order."""
    # `dir(bpy.ops.mesh)` makes this list for each module anew.
    identifiers = importlib.import_module("_bpy").ops.dir()
    parts = (identifier.partition("_OT_") for identifier in identifiers)
    return sorted(f"{module.lower()}.{name}" for module, _, name in parts)


def rna(name: str) -> Any:
    """Return an operator's RNA type.

    Raises:
        Problem: 404, there is none of that name.
    """
    module, _, function = name.partition(".")
    if re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", name, re.IGNORECASE | re.ASCII):
        with contextlib.suppress(KeyError, AttributeError):
            return getattr(getattr(bpy.ops, module), function).get_rna_type()
    raise problems.unknown(f"there is no operator {name!r}", name, names())


def poll(name: str) -> tuple[bool, str | None]:
    """Return whether an operator could run just now, and why not."""
    if name in _CRASH_WITHOUT_AREA and bpy.context.area is None:
        return False, "it works in an animation editor alone"
    operator = _operator(name)
    with main_loop.with_a_window():
        if operator.poll():
            return True, None
        try:
            # It does not begin, as it does not poll; and says more of the reason.
            operator('EXEC_DEFAULT')
        except RuntimeError as error:
            said = str(error).strip().partition("poll() ")[2] or str(error)
            return False, " ".join(said.split())
    return False, "its context is not right"


def _run(name: str, fitted: dict[str, Any]) -> tuple[set[str], list[dict[str, str]]]:
    printed = io.StringIO()
    try:
        with main_loop.with_a_window(), contextlib.redirect_stdout(printed):
            result = _operator(name)('EXEC_DEFAULT', **fitted)
    except RuntimeError as error:
        # What it reports as an error.
        problem = problems.refused_by_blender(f"{name} failed", error)
        reports = [report["text"] for report in _reports(printed.getvalue())]
        problem.hint = "; ".join(reports) or None
        raise problem from None
    except TypeError as error:
        raise problems.unfit([("/args", " ".join(str(error).split()))]) from None
    return result, _reports(printed.getvalue())


def _reports(printed: str) -> list[dict[str, str]]:
    """Return what an operator has told the person: Blender prints it for scripts."""
    reports = []
    for line in printed.splitlines():
        if match := _REPORT.fullmatch(line.strip()):
            level = _LEVELS.get(match[1].split()[0], 'ERROR')
            reports.append({"level": level, "text": match[2]})
        elif line.strip():
            reports.append({"level": 'PRINTED', "text": line.strip()})
    return reports


def _about(name: str) -> dict[str, str] | None:
    if name not in _known:
        try:
            struct = rna(name)
        except Problem:
            return None
        _known[name] = {"name": name, "label": struct.name, "description": struct.description}
    return _known[name]


def _arguments(struct: Any) -> Any:
    return (prop for prop in struct.properties if prop.identifier != "rna_type")


def _operator(name: str) -> Any:
    module, _, function = name.partition(".")
    return getattr(getattr(bpy.ops, module), function)


def _used(arguments: list[Any], given: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        prop.identifier: properties.describe(None, prop).get("default")
        for prop in arguments
        if properties.is_visible(prop)
    }
    return {**defaults, **given}


def _hint(context: Context) -> str:
    if context.area is None and bool(bpy.context.window_manager.windows):
        return "name the `area` that it works in, in `context`, as in 'VIEW_3D'"
    return "set `mode`, `active` and `selected` of `context`, or do first what it says"


_known: dict[str, dict[str, str]] = {}
"""What is known of operators, as asking Blender for all of them takes a while."""
