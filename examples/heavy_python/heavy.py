"""Calls functions of a Python with packages of its own, from Blender, without making it wait."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

sys.path.insert(0, str(Path(__file__).parent))
import messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WORKER = Path(__file__).with_name("worker.py")
_AHEAD = 1 << 22
"""Bytes that are read ahead of us."""


class HeavyError(Exception):
    """A function has failed over there; the text is its traceback."""


class GoneError(ConnectionError):
    """The other Python has ended, or was never there."""


@contextlib.asynccontextmanager
async def started(python: str | Path, functions: Path) -> AsyncIterator[Heavy]:
    """Start the other Python, as in `other_env/bin/python`, and talk over its pipes.

    It ends with the block.
    """
    pipe = asyncio.subprocess.PIPE
    # What our own Python is told about packages is not meant for this one: `-I`.
    command = (python, "-I", WORKER, functions)
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_AHEAD)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with Heavy(child.stdout, child.stdin) as heavy:
            yield heavy
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@contextlib.asynccontextmanager
async def connected(path: str | Path) -> AsyncIterator[Heavy]:
    """Talk to one that runs already, at a Unix socket."""
    reader, writer = await asyncio.open_unix_connection(path, limit=_AHEAD)
    async with Heavy(reader, writer) as heavy:
        yield heavy


class Heavy:
    """The other Python. Calls are answered in order; any number may wait."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[messages.Arrays]] = {}
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._writer.close()
        self._listening.cancel()
        await asyncio.wait([self._listening])

    async def call(self, function: str, arrays: dict[str, Any], **values: Any) -> messages.Arrays:
        """Call a function of the other file and return the arrays that it returns.

        Cancelling interrupts the function over there, as Ctrl-C would.

        Args:
            function: Its name.
            arrays: Anything with a buffer, by the names of its parameters: numpy's arrays.
            values: Its other parameters: what JSON can say.

        Raises:
            HeavyError: It has failed; the text is its traceback.
            GoneError: The other Python has ended.
        """
        if self._listening.done():
            raise self._gone()
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"id": number, "call": function, "values": values}, arrays)
            return await answer
        except ConnectionError:
            raise self._gone() from None
        except asyncio.CancelledError:
            with contextlib.suppress(ConnectionError):
                await self._send({"cancel": number}, {})
            raise
        finally:
            del self._waiting[number]

    async def _send(self, head: messages.Head, arrays: dict[str, Any]) -> None:
        async with self._sending:
            for piece in messages.pack(head, arrays):
                self._writer.write(piece)
            await self._writer.drain()

    async def _listen(self) -> None:
        try:
            while True:
                length = await self._reader.readexactly(messages.LENGTH.size)
                text = await self._reader.readexactly(*messages.LENGTH.unpack(length))
                head, sizes = messages.unpack_head(text)
                contents = [await self._reader.readexactly(size) for size in sizes]
                self._answer(head, messages.unpack_arrays(head, contents))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(self._gone())

    def _answer(self, head: messages.Head, arrays: messages.Arrays) -> None:
        future = self._waiting.get(head["id"])
        # Of a call that was cancelled: its answer is of no interest.
        if future is None or future.done():
            return
        if "error" in head:
            future.set_exception(HeavyError(head["error"]))
        else:
            future.set_result(arrays)

    def _gone(self) -> GoneError:
        return GoneError("the other Python has ended; what it printed says why")
