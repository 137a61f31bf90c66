"""Whose a task, a listener, a route or a child process is: the add-on's whose code made it.

That is the nearest module of an add-on on the call stack, as in an operator that Blender calls,
also where another add-on's task calls the operator. Where there is none on it, a context variable
says whose the task is, which tasks hand on to all that they start.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import weakref
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType
    from typing import Any

SCRIPTS: Final = "scripts"
"""The owner of what no add-on made: the text editor, the console, a file given to `--python`."""


class Closeable(Protocol):
    """A server, a connection or a child process."""

    def close(self) -> None:
        """End it."""


class Owner:
    """What one add-on has going on.

    Attributes:
        name: The add-on's package, as in `bl_ext.user_default.my_addon`; `scripts` for none.
        roots: Those of its tasks that no task of its own has started.
        things: Servers, connections and child processes that it has opened.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.roots: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.things: weakref.WeakSet[Any] = weakref.WeakSet()
        self._on_release: dict[object, Callable[[], object]] = {}
        self._on_enable: dict[str, Callable[[], object]] = {}

    def __repr__(self) -> str:
        return f"<Owner {self.name!r}>"

    @property
    def short_name(self) -> str:
        """As a person knows it: `my_addon`."""
        return self.name.rpartition(".")[2]

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """Those that have not ended, the tasks of its tasks included."""
        return {task for task in self._tasks if not task.done()}

    def note_task(self, task: asyncio.Task[Any], parent: asyncio.Task[Any] | None) -> None:
        """Take a task for its own.

        Args:
            task: That has just been made.
            parent: The task that has made it, whosever that is.
        """
        if parent not in self._tasks:
            self.roots.add(task)
        self._tasks.add(task)

    def on_release(self, function: Callable[[], object]) -> Callable[[], None]:
        """Have `function()` called when the add-on is disabled or reloaded.

        Returns:
            Forgets it, for when the thing has ended by itself.
        """
        key = object()
        self._on_release[key] = function

        def forget() -> None:
            self._on_release.pop(key, None)

        return forget

    def on_enable(self, key: str, function: Callable[[], object]) -> None:
        """Have `function()` called each time that the add-on has been enabled again.

        For what its modules set up as they are loaded: Blender does not load them anew.

        Args:
            key: A later function with the same key takes the place of this one.
            function: Sets it up again.
        """
        self._on_enable[key] = function

    def enabled(self) -> None:
        """Set up again what its modules had set up; it was enabled again."""
        for function in list(self._on_enable.values()):
            _call_and_log(function, self)

    def is_idle(self) -> bool:
        """Return whether nothing of it goes on."""
        return not (self.tasks or self.things or self._on_release)

    def let_go(self) -> None:
        """Take down what it has registered."""
        functions = list(self._on_release.values())
        self._on_release.clear()
        for function in reversed(functions):
            _call_and_log(function, self)

    def close_things(self) -> None:
        """Close its servers, connections and child processes."""
        for thing in list(self.things):
            _call_and_log(thing.close, self)
        self.things.clear()


def current() -> Owner:
    """Return the owner of what the calling code makes."""
    if (named := _named.get()) is not None:
        return named
    add_on = _add_on_that_calls()
    return of(add_on) if add_on else of_context() or of(SCRIPTS)


def of_context(context: contextvars.Context | None = None) -> Owner | None:
    """Return the owner that a context names: that of the calling code if left out."""
    return _owner.get() if context is None else context.get(_owner)


def context_for(owned: Owner) -> contextvars.Context:
    """Return a copy of the present context that names an owner."""
    context = contextvars.copy_context()
    context.run(_owner.set, owned)
    context.run(_named.set, None)
    return context


def of(name: str) -> Owner:
    """Return the owner of that name; the first call makes it."""
    return _owners.setdefault(name, Owner(name))


def everyone() -> Iterable[Owner]:
    """Return the owners that there are."""
    return list(_owners.values())


@contextlib.contextmanager
def owner(package: str | Owner) -> Iterator[Owner]:
    """Have what is made inside belong to an add-on: `with aiobpy.owner(__package__): ...`.

    aiobpy finds out by itself in `register()`, in tasks, and wherever the add-on's own code calls.
    This is for code that a library calls back.

    Args:
        package: The add-on's `__package__`.

    Raises:
        ValueError: `package` is empty, as it is in a script that is no package.
    """
    if not package:
        msg = "the owner's package is empty; an add-on passes its `__package__`, a script any name"
        raise ValueError(msg)
    owned = of(package) if isinstance(package, str) else package
    tokens = _owner.set(owned), _named.set(owned)
    try:
        yield owned
    finally:
        _owner.reset(tokens[0])
        _named.reset(tokens[1])


def _add_on_that_calls() -> str | None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if add_on := add_on_of(frame.f_globals.get("__name__", "")):
            return add_on
        frame = frame.f_back
    return None


def add_on_of(module: str) -> str | None:
    """Return the add-on that a module is part of, if it is: its name as Blender knows it."""
    parts = module.split(".")
    name = ".".join(parts[:3]) if parts[0] == "bl_ext" else parts[0]
    # Blender marks the modules of its add-ons with this, from before they register.
    return name if hasattr(sys.modules.get(name), "__addon_enabled__") else None


def _call_and_log(function: Callable[[], object], owned: Owner) -> None:
    # One that fails must not keep the others from going.
    try:
        function()
    except Exception:
        _log.exception("could not take down or set up something of %s", owned.name)


_log = logging.getLogger(__name__)
_owner: contextvars.ContextVar[Owner | None] = contextvars.ContextVar("owner", default=None)
"""Whose the task is."""
_named: contextvars.ContextVar[Owner | None] = contextvars.ContextVar("named", default=None)
"""Who was named by `owner`, which nothing on the stack overrules."""
_owners: dict[str, Owner] = {}
