"""Another Blender, started and controlled by this one: `async with aiobpy.fleet.instance(…)`."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import importlib.util
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aiobpy.fleet.addresses import Address
from aiobpy.fleet.calls import Calls, Rpc
from aiobpy.fleet.errors import FleetError, Unreachable
from aiobpy.fleet.wire import CALL, MARK, QUIT
from aiobpy.process import Line, ProcessError, process

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
    from types import TracebackType

    from aiobpy.fleet.streams import Event

    StrPath = str | os.PathLike[str]

START_LIMIT = 120.0
"""Seconds in which an instance has to be ready, unless told otherwise."""
GRACE = 2.0
"""Seconds that it has to end in by itself."""
_LINES_KEPT = 200
_PACKAGE_FOLDER = str(Path(__file__).resolve().parents[2])


class InstanceEnded(FleetError):
    """The other Blender has ended, or did not get ready; the text has the last lines it printed.

    Attributes:
        returncode: As `subprocess` has it; None if it did not end by itself.
        lines: The last lines that it printed.
    """

    def __init__(self, what: str, returncode: int | None, lines: Iterable[str]) -> None:
        self.returncode = returncode
        self.lines = list(lines)
        said = "".join(f"\n  {line}" for line in self.lines[-20:])
        super().__init__(f"{what}; it said:{said}" if said else f"{what}, and said nothing")


def instance(
    file: StrPath | None = None,
    *,
    modules: Iterable[StrPath] = (),
    paths: Iterable[StrPath] = (),
    blender: StrPath | None = None,
    use_scripts: bool = False,
    factory_startup: bool = True,
    env: Mapping[str, str] | None = None,
    start_limit: float = START_LIMIT,
    on_line: Callable[[Line], object] | None = None,
) -> Instance:
    """Start another Blender without windows: `async with instance("scene.blend") as other`.

    Leaving the block ends it, with all that it has started; so does the end of this process,
    however that comes about.

    Args:
        file: The .blend that it opens; Blender's own start-up scene if left out.
        modules: Modules by name, or files of Python, that it imports: their methods
            (`aiobpy.rpc`) are `other.rpc`, their functions are called by `other.run`.
        paths: Folders to find modules in.
        blender: The executable, 4.2 or newer, or a Python that has `bpy`. If left out: this
            Blender's own; where this is the `bpy` module or plain Python, this Python.
        use_scripts: Whether scripts inside the file may run by themselves.
        factory_startup: Whether it starts without the user's preferences and add-ons.
        env: All variables of its environment, if not ours.
        start_limit: Seconds in which it has to be ready.
        on_line: Called with each line that it prints.

    Raises:
        FileNotFoundError: There is no such file, or no such Blender; raised on entering.
        InstanceEnded: It did not get ready; raised on entering.
        NotImplementedError: This is Windows; raised on entering.
        ValueError: Which Blender to start is not known.
    """
    told = {
        "file": None if file is None else os.path.abspath(file),
        "modules": [_absolute_if_file(module) for module in modules],
        "paths": [os.path.abspath(path) for path in paths],
        "use_scripts": use_scripts,
    }
    command = _command(blender, factory_startup)
    return Instance(command, told, env=env, start_limit=start_limit, on_line=on_line)


class Instance:
    """Another Blender, between entering and leaving its `async with` block; see `instance`.

    Attributes:
        rpc: Its methods: `await other.rpc.captions.build(text="…")`.
        blender_version: As in `5.0.1`.
        address: Of its web server, as in `http://127.0.0.1:43210`.
        methods: The names of its methods, with those of their parameters.
    """

    def __init__(
        self,
        command: list[str],
        told: dict[str, Any],
        *,
        env: Mapping[str, str] | None,
        start_limit: float,
        on_line: Callable[[Line], object] | None,
    ) -> None:
        self._told = told
        self._start_limit = start_limit
        self._on_line = on_line
        self._process = process(*command, env=env, check=False, grace=GRACE)
        self._lines: collections.deque[Line] = collections.deque(maxlen=_LINES_KEPT)
        self._stack = contextlib.AsyncExitStack()
        self.blender_version = ""
        self.address = ""
        self.methods: dict[str, list[str]] = {}

    async def __aenter__(self) -> Self:
        if self._told["file"] is not None and not await asyncio.to_thread(
            os.path.isfile, self._told["file"]
        ):
            raise FileNotFoundError(f"there is no file {self._told['file']}")
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._process)
            token = secrets.token_urlsafe(32)
            ready = asyncio.get_running_loop().create_future()
            reading = asyncio.create_task(self._read(ready))
            stack.push_async_callback(_end, reading)
            with contextlib.suppress(ProcessError):
                # If it takes none it has ended, and its lines say why.
                await self._process.write(json.dumps({**self._told, "token": token}) + "\n")
            answer = await self._become_ready(ready)
            self.address = answer["address"]
            self.blender_version = answer["blender"]
            self.methods = answer["methods"]
            self._calls = Calls(Address(self.address, token), self._why)
            stack.callback(self._calls.close)
            stack.push_async_callback(self._quit)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    @property
    def lines(self) -> list[Line]:
        """The last lines that it has printed."""
        return list(self._lines)

    @property
    def rpc(self) -> Rpc:
        """Its methods, as attributes. They take what JSON can say, and return it."""
        return Rpc(self._calls, self.methods)

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        on_progress: Callable[[float | None, str], object] | None = None,
    ) -> Any:
        """Call a method by its name and return what it returns.

        Cancelling the task cancels the method, unless it keeps Blender's main thread busy.

        Args:
            method: As in `captions.build`.
            params: Its parameters by name.
            on_progress: Called with how far it is, from 0 to 1 if it knows, and with what it does,
                as it says by `aiobpy.set_progress`.

        Raises:
            Refused: It failed, or refused; the text says why.
            InstanceEnded: The other Blender has ended meanwhile.
        """
        return await self._calls.call(method, params or {}, on_progress)

    async def run(
        self,
        function: str,
        /,
        *arguments: Any,
        on_progress: Callable[[float | None, str], object] | None = None,
        **keywords: Any,
    ) -> Any:
        """Call any function there, sync or async, and return what it returns.

        Args:
            function: The name of one in `modules`, or as in `module:function`.
            arguments: What JSON can say.
            on_progress: As for `call`.
            keywords: What JSON can say.

        Raises:
            Refused: It raised; the text says what.
            InstanceEnded: The other Blender has ended meanwhile.
        """
        params = {"function": function, "arguments": list(arguments), "keywords": keywords}
        return await self._calls.call(CALL, params, on_progress)

    async def status(self) -> dict[str, Any]:
        """Return what its server says, also while its main thread is busy.

        Raises:
            InstanceEnded: It has ended.
        """
        told: dict[str, Any] = await self._calls.ask("GET", "/api/v1/status")
        return told

    def events(self, *topics: str) -> AsyncGenerator[Event, None]:
        """Yield what it publishes (`aiobpy.publish`), until it ends.

        Args:
            topics: Or their parts before a dot; all if left out.
        """
        return self._calls.events(topics)

    async def _read(self, ready: asyncio.Future[dict[str, Any]]) -> None:
        """Read what it prints; the line by which it says that it is ready is for us alone."""
        async for line in self._process:
            if line.startswith(MARK):
                if not ready.done():
                    ready.set_result(json.loads(line.removeprefix(MARK)))
                continue
            self._lines.append(line)
            if self._on_line is not None:
                self._on_line(line)
        if not ready.done():
            ready.set_result({"problem": None})

    async def _become_ready(self, ready: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
        name = self._process.name
        try:
            async with asyncio.timeout(self._start_limit):
                answer = await ready
        except TimeoutError:
            what = f"{name} was not ready within {self._start_limit:g} s"
            raise InstanceEnded(what, None, self._lines) from None
        if "problem" in answer:
            code = await self._process.wait()
            reason = answer["problem"] or f"it ended with return code {code}"
            raise InstanceEnded(f"{name} did not get ready: {reason}", code, self._lines)
        return answer

    async def _quit(self) -> None:
        """Ask it to end, and wait a moment; what does not is killed by the process's own exit."""
        with contextlib.suppress(FleetError, TimeoutError, OSError):
            async with asyncio.timeout(GRACE):
                with contextlib.suppress(Unreachable):
                    await self._calls.ask("POST", f"/api/v1/rpc/{QUIT}", {})
                await self._process.wait()

    async def _why(self, error: Unreachable) -> FleetError:
        """Return why it cannot be reached: most likely it has just ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._process.wait()
        code = self._process.returncode
        name = self._process.name
        if code is None:
            return InstanceEnded(f"{name} does not answer: {error}", None, self._lines)
        return InstanceEnded(f"{name} has ended with return code {code}", code, self._lines)


def _command(blender: StrPath | None, factory_startup: bool) -> list[str]:
    program = os.fspath(blender) if blender is not None else _this_blender()
    # For aiobpy alone: beside an installed one lies a bpy that is not the other Python's.
    start = (
        f"import sys; sys.path.insert(0, {_PACKAGE_FOLDER!r}); import aiobpy; sys.path.pop(0); "
        "from aiobpy.fleet.inside import main; main()"
    )
    if Path(program).name.startswith("python"):
        return [program, "-c", start]
    options = ["--factory-startup"] if factory_startup else []
    # Scripts inside a .blend never run by themselves; the file is opened from Python.
    options += ["--disable-autoexec", "--python-exit-code", "1"]
    return [program, "--background", *options, "--python-expr", start]


def _this_blender() -> str:
    # Of the module that is there: loading it would make a Blender of any Python.
    bpy = sys.modules.get("bpy")
    if bpy is not None and bpy.app.binary_path:
        return str(bpy.app.binary_path)
    if bpy is None and importlib.util.find_spec("bpy") is None:
        msg = (
            f"{sys.executable} has no bpy, so which Blender to start is not known; give blender=,"
            " or install it with `pip install bpy`"
        )
        raise ValueError(msg)
    return sys.executable


def _absolute_if_file(module: StrPath) -> str:
    name = os.fspath(module)
    return os.path.abspath(name) if name.endswith(".py") else name


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
