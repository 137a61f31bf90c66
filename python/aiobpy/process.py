"""Child processes that talk in lines: what they say, what they are fed, and that they end.

Their input and output are sockets, as with libuv, so the I/O thread feeds them and reads ahead
while Blender is busy. A child is the leader of a process group of its own, and who cancels it ends
the whole group.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    _Output = tuple[asyncio.StreamReader, Callable[[], object]]


Stream: TypeAlias = Literal["stdout", "stderr"]

GRACE = 2.0
"""Seconds that a child has to end when it is asked to, unless told otherwise."""
_STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")
_READ = 1 << 16
_LONGEST_LINE = 1 << 20
_KEPT_UNREAD = 16 << 20
"""Bytes of lines that wait to be read; beyond, the child waits."""
_LAST_LINES = 20
# There, a loop that waits for sockets has no child processes.
_CAN_START = sys.platform != "win32"


class Line(str):
    """A line that a child has printed, without its end.

    Attributes:
        stream: Where it was printed: `stdout` or `stderr`.
    """

    __slots__ = ("stream",)
    stream: Stream


class ProcessError(Exception):
    """A child has failed; the text has the last lines that it printed.

    Attributes:
        returncode: As `subprocess` has it: negative for a signal; None if it has not ended.
        lines: The last lines that it printed, 20 at most.
    """

    def __init__(self, what: str, returncode: int | None, lines: list[Line]) -> None:
        said = "".join(f"\n  {line}" for line in lines)
        super().__init__(f"{what}; it said:{said}" if said else f"{what}, and said nothing")
        self.returncode = returncode
        self.lines = lines


def process(
    program: str | os.PathLike[str],
    *arguments: str | os.PathLike[str],
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    grace: float = GRACE,
) -> Process:
    """Run a child process: `async with aiobpy.process("ffmpeg", …) as child`.

    Inside, iterate over its lines and write to it, in any order or in two tasks. Leaving the block
    closes its input and waits for its end; an exception or a cancellation ends it, with every
    process that it has started in its group.

    Args:
        program: Its path, or its name to be found in `PATH`. No shell is involved.
        arguments: As they are; nothing in them is special.
        cwd: The folder that it starts in, if not ours.
        env: All variables of its environment, if not ours.
        check: Whether leaving the block raises `ProcessError` if its return code is not 0.
        grace: Seconds from being asked to end (SIGTERM) to being killed.

    Raises:
        FileNotFoundError: There is no such program; raised when the block is entered.
        NotImplementedError: This is Windows; raised when the block is entered.
        ProcessError: See `check`; and on writing to a child that has ended.
    """
    return Process((program, *arguments), cwd=cwd, env=env, check=check, grace=grace)


class Process:
    """A child process, between entering and leaving its `async with` block; see `process`."""

    def __init__(
        self,
        command: tuple[str | os.PathLike[str], ...],
        *,
        cwd: str | os.PathLike[str] | None,
        env: Mapping[str, str] | None,
        check: bool,
        grace: float,
    ) -> None:
        self.name = os.path.basename(command[0])
        """The program, as errors call it."""
        self._command = command
        self._options: dict[str, Any] = {"cwd": cwd, "env": env}
        self._check = check
        self._grace = grace
        self._lines = _Lines()
        self._readers: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._child.returncode

    async def __aenter__(self) -> Self:
        self._child, self._input, outputs = await _start(self._command, self._options)
        for stream, (reader, close) in zip(_STREAMS, outputs, strict=True):
            self._readers.append(asyncio.create_task(self._read(stream, reader, close)))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._lines.drop_all()
                await self.end_input()
                await self._child.wait()
                await asyncio.wait(self._readers, timeout=self._grace)
        finally:
            await self._end()
        if error is None and self._check and self.returncode != 0:
            raise self._failed(f"{self.name} has failed with {_reason(self.returncode)}")

    def __aiter__(self) -> AsyncIterator[Line]:
        """Yield its lines, of both streams as they come, until it has closed both.

        They end with `\\n`, `\\r\\n` or `\\r`, so that counters that are printed over and over are
        lines too. Text is UTF-8, and what is none is replaced.
        """
        return self._lines

    async def write(self, data: bytes | bytearray | memoryview | str) -> None:
        """Write to its standard input; return when it has taken enough to want more.

        Raises:
            ProcessError: It has closed its input, or has ended.
        """
        try:
            self._input.write(data.encode() if isinstance(data, str) else data)
            await self._input.drain()
        except ConnectionError:
            await asyncio.wait(self._readers, timeout=self._grace)
            raise self._failed(f"{self.name} takes no more input") from None

    async def end_input(self) -> None:
        """Close its standard input, once it has taken all of it. Does nothing if it is closed."""
        self._input.close()
        # A child that does not read to the end has its reasons; its return code tells.
        with contextlib.suppress(ConnectionError):
            await self._input.wait_closed()

    async def wait(self) -> int:
        """Wait for its end and return its return code. Its lines are kept meanwhile."""
        code = await self._child.wait()
        await asyncio.wait(self._readers)
        return code

    def terminate(self) -> None:
        """Ask it and its group to end (SIGTERM)."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its group at once (SIGKILL)."""
        if sys.platform != "win32":
            self._signal(signal.SIGKILL)

    async def _end(self) -> None:
        """End whatever is left of it. Being cancelled makes it quicker."""
        ends = [asyncio.ensure_future(self._child.wait()), *self._readers]
        try:
            if self._is_alive():
                self.terminate()
                await asyncio.wait(ends, timeout=self._grace)
        finally:
            if self._is_alive():
                self.kill()
            for reader in self._readers:
                reader.cancel()
            self._input.transport.abort()
            await asyncio.wait(ends)

    def _is_alive(self) -> bool:
        """Whether it runs, or something of its group still holds its output open."""
        return self.returncode is None or not all(reader.done() for reader in self._readers)

    def _signal(self, number: signal.Signals) -> None:
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _read(
        self, stream: Stream, reader: asyncio.StreamReader, close: Callable[[], object]
    ) -> None:
        rest = b""
        try:
            while more := await reader.read(_READ):
                *lines, rest = _split(rest + more)
                for line in lines:
                    self._lines.add(line, stream)
                await self._lines.has_room()
            if rest:
                self._lines.add(rest.removesuffix(b"\r"), stream)
        except ConnectionError:
            # It was killed with output that nobody has read.
            pass
        finally:
            close()
            self._lines.close_one()

    def _failed(self, what: str) -> ProcessError:
        return ProcessError(what, self.returncode, list(self._lines.last))


class _Lines:
    """Lines from two readers to one who iterates."""

    def __init__(self) -> None:
        self.last: collections.deque[Line] = collections.deque(maxlen=_LAST_LINES)
        self._waiting: collections.deque[Line] = collections.deque()
        self._size = 0
        self._open = 2
        self._is_dropping = False
        self._changed = asyncio.Event()

    def add(self, line: bytes, stream: Stream) -> None:
        text = Line(line.decode(errors="replace"))
        text.stream = stream
        self.last.append(text)
        if not self._is_dropping:
            self._waiting.append(text)
            self._size += len(text) + 1
        self._changed.set()

    async def has_room(self) -> None:
        while self._size > _KEPT_UNREAD:
            self._changed.clear()
            await self._changed.wait()

    def drop_all(self) -> None:
        """Nobody will iterate any more."""
        self._is_dropping = True
        self._waiting.clear()
        self._size = 0
        self._changed.set()

    def close_one(self) -> None:
        self._open -= 1
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Line:
        while not self._waiting:
            if not self._open:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        line = self._waiting.popleft()
        self._size -= len(line) + 1
        self._changed.set()
        return line


async def _start(
    command: tuple[str | os.PathLike[str], ...], options: dict[str, Any]
) -> tuple[asyncio.subprocess.Process, asyncio.StreamWriter, list[_Output]]:
    """Start it; return it with its input and its two outputs, and how to close those."""
    if not _CAN_START:
        msg = "aiobpy cannot start child processes on Windows yet: use `subprocess` in a thread"
        raise NotImplementedError(msg)
    with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as theirs:
        ours = []
        for name in ("stdin", "stdout", "stderr"):
            our_end, their_end = socket.socketpair()
            ours.append(on_failure.enter_context(our_end))
            options |= {name: theirs.enter_context(their_end)}
        child = await asyncio.create_subprocess_exec(*command, start_new_session=True, **options)
        streams = [await asyncio.open_connection(sock=end) for end in ours]
        on_failure.pop_all()
    return child, streams[0][1], [(reader, writer.close) for reader, writer in streams[1:]]


def _split(data: bytes) -> list[bytes]:
    """Split at `\\n`, `\\r\\n` and `\\r`; the last piece is not complete."""
    # What may be the first half of `\r\n` is not complete either.
    ended = data[:-1] if data.endswith(b"\r") else data
    *lines, rest = ended.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    rest += data[len(ended) :]
    if len(rest) > _LONGEST_LINE:
        return [*lines, rest, b""]
    return [*lines, rest]


def _reason(returncode: int | None) -> str:
    if returncode is None or returncode >= 0:
        return f"return code {returncode}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-returncode).name
    return f"signal {-returncode}"


__all__ = ["Line", "Process", "ProcessError", "process"]
