"""The loop that all add-ons of a process share: it knows whose everything is."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from asyncio.selector_events import _SelectorDatagramTransport
from typing import TYPE_CHECKING, Any, TypeVar

from aiobpy import explain, online, owners
from aiobpy.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from aiobpy._native import Handle

_Thing = TypeVar("_Thing")


class SharedLoop(EventLoop):
    """An event loop whose tasks, servers, connections and child processes have owners."""

    def __init__(self) -> None:
        super().__init__()
        self._thread_of_host = threading.get_ident()
        self._watches: dict[tuple[str, Any], owners.Owner] = {}

    def create_task(self, coro: Any, **keywords: Any) -> asyncio.Task[Any]:
        """As asyncio has it; the task is of the owner that its context names.

        From outside of the loop, as in an operator, it is of the add-on that calls.
        """
        owner = owners.of_context(keywords.get("context"))
        if owner is None and not self.is_running() and keywords.get("context") is None:
            owner = owners.current()
            keywords["context"] = owners.context_for(owner)
        task = super().create_task(coro, **keywords)
        if owner is not None:
            parent = asyncio.current_task(self) if self.is_running() else None
            owner.note_task(task, parent)
        return task

    def run_until_complete(self, future: Any) -> Any:
        """As asyncio has it.

        Raises:
            RuntimeError: Blender is drawing, or this is another thread than the host's.
        """
        self.check_thread("run the loop")
        _refuse_while_drawing()
        return super().run_until_complete(future)

    def check_thread(self, deed: str) -> None:
        """Refuse a call from another thread than the one that Blender's Python runs in.

        Raises:
            RuntimeError: It is another.
        """
        if threading.get_ident() != self._thread_of_host:
            msg = (
                f"{owners.current().short_name} cannot {deed} in the thread"
                f" {threading.current_thread().name!r}: only the main thread may use Blender; hand"
                " over with `loop.call_soon_threadsafe` or `asyncio.run_coroutine_threadsafe`"
            )
            raise RuntimeError(msg)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio has it, with a word on what Blender's own errors mean."""
        error = context.get("exception")
        if error is not None and (explanation := explain.explain(error)):
            context = {**context, "message": f"{context.get('message')}\n{explanation}"}
        super().default_exception_handler(context)

    def _name_of_callback(self, handle: Handle) -> str:
        name = super()._name_of_callback(handle)
        context = handle.get_context()
        owner = None if context is None else owners.of_context(context)
        return f"{owner.short_name}: {name}" if owner else name

    # Other machines are only asked if Blender may go online.

    async def getaddrinfo(self, host: Any, port: Any, **keywords: Any) -> list[tuple[Any, ...]]:
        """As asyncio has it.

        Raises:
            OfflineError: It is the name of another machine, and Blender may not go online.
        """
        if not keywords.get("flags", 0) & socket.AI_PASSIVE:
            online.check(host)
        return await super().getaddrinfo(host, port, **keywords)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """As asyncio has it.

        Raises:
            OfflineError: It is another machine, and Blender may not go online.
        """
        online.check_address(address)
        await super().sock_connect(sock, address)

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        """As asyncio has it.

        Raises:
            OfflineError: It is another machine, and Blender may not go online.
        """
        online.check_address(address)
        return await super().sock_sendto(sock, data, address)

    # What is opened belongs to the owner of the moment.

    async def create_server(self, *arguments: Any, **keywords: Any) -> asyncio.Server:
        """As asyncio has it."""
        return _owned(await super().create_server(*arguments, **keywords))

    async def create_unix_server(self, *arguments: Any, **keywords: Any) -> asyncio.Server:
        """As asyncio has it."""
        return _owned(await super().create_unix_server(*arguments, **keywords))

    async def _make_subprocess_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return _owned(await super()._make_subprocess_transport(*arguments, **keywords))

    def _make_socket_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return _owned(super()._make_socket_transport(*arguments, **keywords))

    def _make_ssl_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return _owned(super()._make_ssl_transport(*arguments, **keywords))

    def _make_datagram_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return _owned(_CheckedDatagrams(self, *arguments, **keywords))

    def _add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> Handle:
        self._note_watch(self._remove_reader, fd)
        return super()._add_reader(fd, callback, *args)

    def _add_writer(self, fd: Any, callback: Callable[..., object], *args: Any) -> Handle:
        self._note_watch(self._remove_writer, fd)
        return super()._add_writer(fd, callback, *args)

    def _note_watch(self, remove: Callable[[Any], bool], fd: Any) -> None:
        key = (remove.__name__, fd)
        if owner := owners.of_context():
            self._watches[key] = owner
        else:
            self._watches.pop(key, None)

    def _remove_reader(self, fd: Any) -> bool:
        self._watches.pop(("_remove_reader", fd), None)
        return super()._remove_reader(fd)

    def _remove_writer(self, fd: Any) -> bool:
        self._watches.pop(("_remove_writer", fd), None)
        return super()._remove_writer(fd)

    def forget(self, owner: owners.Owner) -> None:
        """Cancel an owner's timers, and watch its descriptors no more."""
        for timer in self._scheduled:
            context = timer.get_context()
            if context is not None and owners.of_context(context) is owner:
                timer.cancel()
        for name, fd in [key for key, watcher in self._watches.items() if watcher is owner]:
            getattr(self, name)(fd)


class _CheckedDatagrams(_SelectorDatagramTransport):
    """asyncio's own, which asks for each datagram whether it may leave the machine."""

    def sendto(self, data: Any, addr: Any = None) -> None:
        """As asyncio has it.

        Raises:
            OfflineError: It is for another machine, and Blender may not go online.
        """
        online.check_address(addr)
        super().sendto(data, addr)


def _owned(thing: _Thing) -> _Thing:
    if owner := owners.of_context():
        owner.things.add(thing)
    return thing


def _refuse_while_drawing() -> None:
    """Blender forbids changes while it draws, and whatever the loop runs may make some."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name.startswith("draw") and _is_interface(frame.f_locals.get("self")):
            drawn = type(frame.f_locals["self"])
            msg = (
                f"{drawn.__module__}.{drawn.__qualname__}.{frame.f_code.co_name}() cannot wait for"
                " anything: Blender is drawing; start the work with `aiobpy.spawn` in an operator,"
                " and draw what it has left so far"
            )
            raise RuntimeError(msg)
        frame = frame.f_back


def _is_interface(drawn: Any) -> bool:
    bpy = sys.modules.get("bpy")
    if bpy is None or drawn is None:
        return False
    kinds = (bpy.types.Panel, bpy.types.Menu, bpy.types.Header, bpy.types.UIList)
    return isinstance(drawn, kinds)
