"""Serves the functions of a file to another Python, one call at a time. Needs nothing but Python.

python worker.py FUNCTIONS.py                 over its standard input and output
python worker.py FUNCTIONS.py --socket PATH   at a Unix socket, one client after another

A function takes arrays and plain values by name and returns a dict of arrays. It is given numpy's
arrays where there is numpy, else memoryviews.
"""

from __future__ import annotations

import _thread
import contextlib
import importlib.util
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

sys.path.insert(0, str(Path(__file__).parent))
import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    Functions = dict[str, Callable[..., dict[str, Any]]]

try:
    import numpy as np
except ImportError:
    # Then functions are given memoryviews.
    np = None  # type: ignore[assignment]


class Server:
    """Calls from one client. A thread listens; the main thread, which can be interrupted, works."""

    def __init__(self, functions: Functions, source: BinaryIO, sink: BinaryIO) -> None:
        self._functions = functions
        self._source = source
        self._sink = sink
        self._calls: queue.SimpleQueue[tuple[dict[str, Any], dict[str, Any]] | None] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._running: int | None = None
        self._cancelled: set[int] = set()
        self._is_alone = False

    def serve(self) -> None:
        """Answer until the client has gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        while (call := self._calls.get()) is not None:
            head, arrays = call
            answer, results = self._run(head, arrays)
            for piece in messages.pack({"id": head["id"], **answer}, results):
                self._sink.write(piece)
            self._sink.flush()

    def _run(
        self, head: dict[str, Any], arrays: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        number = head["id"]
        try:
            with self._lock:
                if self._is_alone or number in self._cancelled:
                    return {"cancelled": True}, {}
                self._running = number
            function = self._functions.get(head["call"])
            if function is None:
                return {"error": f"there is no function {head['call']!r} here"}, {}
            if np is not None:
                arrays = {name: np.asarray(view) for name, view in arrays.items()}
            results = function(**arrays, **head["values"])
            with self._lock:
                self._running = None
                # An interrupt that was asked for until now comes out here.
                _here()
        except KeyboardInterrupt:
            return {"cancelled": True}, {}
        except Exception:
            return {"error": traceback.format_exc()}, {}
        else:
            return {}, results
        finally:
            with self._lock:
                self._running = None

    def _listen(self) -> None:
        try:
            while (message := self._receive()) is not None:
                head, arrays = message
                if "cancel" in head:
                    self._cancel(head["cancel"])
                else:
                    self._calls.put((head, arrays))
        finally:
            # Whoever wanted the result of what runs has gone.
            with self._lock:
                self._is_alone = True
                if self._running is not None:
                    _thread.interrupt_main()
            self._calls.put(None)

    def _cancel(self, number: int) -> None:
        with self._lock:
            self._cancelled.add(number)
            if self._running == number:
                _thread.interrupt_main()

    def _receive(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        length = self._source.read(messages.LENGTH.size)
        if len(length) < messages.LENGTH.size:
            return None
        head, sizes = messages.unpack_head(self._source.read(*messages.LENGTH.unpack(length)))
        contents = [self._source.read(size) for size in sizes]
        return head, messages.unpack_arrays(head, contents)


def _here() -> None:
    """Python looks for interrupts where a function begins."""


def load(path: Path) -> Functions:
    """Return the functions of a file, but for those that begin with an underscore."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value)
        and getattr(value, "__module__", None) == module.__name__
        and name[0] != "_"
    }


def serve_standard_streams(functions: Functions) -> None:
    """Keep the two streams for messages: what functions print goes to the standard error."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Server(functions, source, sink).serve()


def serve_socket(functions: Functions, path: str) -> None:
    """Serve those who connect, one after another, until interrupted."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            client, _ = listener.accept()
            # A client that has gone does not want to be answered.
            with (
                contextlib.suppress(ConnectionError),
                client,
                client.makefile("rb") as source,
                client.makefile("wb") as sink,
            ):
                Server(functions, source, sink).serve()


if __name__ == "__main__":
    # Whom a shell starts in the background inherits that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    functions = load(Path(sys.argv[1]))
    if sys.argv[2:3] == ["--socket"]:
        serve_socket(functions, sys.argv[3])
    else:
        serve_standard_streams(functions)
