"""IPython's kernel, where it has to differ inside Blender."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from tornado.ioloop import IOLoop
from traitlets import Any as AnyTrait
from traitlets import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

_LONGEST_FAREWELL = 5.0
"""Seconds that each of the kernel's threads gets to end."""


class Shell(ZMQInteractiveShell):
    """Runs each step of a cell in what Blender's context is to be."""

    async def run_code(self, *args: Any, **options: Any) -> bool:
        """Run one compiled piece of a cell; return whether it failed."""
        failed: bool = await Steps(
            super().run_code(*args, **options), self.kernel.parent.step_context
        )
        return failed


class Kernel(IPythonKernel):
    """Cells run on Blender's main thread, in tasks of a loop that belongs to others, too."""

    shell_class = Type(Shell)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ended = asyncio.Event()
        """Set when a client has shut the kernel down, or a cell has called `exit`."""
        self.awaited: asyncio.Future[Any] | None = None
        """The cell that awaits; None while none does."""

    def start(self) -> None:
        """Begin to answer."""
        super().start()
        self.io_loop: Any = KernelLoop(IOLoop.current(), self.ended.set)

    async def dispatch_shell(self, *args: Any, **options: Any) -> None:
        """Answer a message; none once the kernel has ended, after which a guest's loop goes on."""
        if not self.ended.is_set():
            await super().dispatch_shell(*args, **options)

    def pre_handler_hook(self) -> None:
        """Do not touch the signals of the process: `Interrupts` has them."""

    def post_handler_hook(self) -> None:
        """Do not touch the signals of the process."""

    @contextlib.contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Generator[None]:
        self.awaited = future
        try:
            yield
        finally:
            self.awaited = None

    def _send_interrupt_children(self) -> None:
        if sys.platform == "win32":
            _thread.interrupt_main()
        else:
            super()._send_interrupt_children()

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What clients are told. A subshell is a thread, and Blender's data is not for threads."""
        info: dict[str, Any] = super().kernel_info
        features = [name for name in info["supported_features"] if name != "kernel subshells"]
        return {**info, "supported_features": features}

    async def create_subshell_request(self, socket: Any, ident: Any, parent: Any) -> None:
        """Refuse, and say why."""
        error = {
            "status": "error",
            "ename": "NotImplementedError",
            "evalue": "a subshell would run on a thread of its own, which Blender does not support",
            "traceback": [],
        }
        self.session.send(socket, "create_subshell_reply", error, parent, ident)


class KernelApp(IPKernelApp):
    """Sets the kernel up on the loop that runs."""

    kernel_class = Type(Kernel, klass="ipykernel.kernelbase.Kernel").tag(config=True)
    step_context: Callable[[], contextlib.AbstractContextManager[object]] = AnyTrait()

    def __init__(self, **options: Any) -> None:
        # Blender prints from its own threads, with and without the GIL: a pipe that only Python
        # empties could fill up and stop them.
        super().__init__(capture_fd_output=False, **options)

    def init_signal(self) -> None:
        """Do not touch the signals of the process: `Interrupts` takes them."""

    def close(self) -> None:
        """Close the sockets.

        ipykernel waits for its threads as long as they take, and seldom one takes for ever: that
        one is left behind with its sockets, and ends with the process.
        """
        threads = [self.control_thread, self.shell_channel_thread]
        alive = [thread for thread in threads if thread is not None and thread.is_alive()]
        for thread in alive:
            thread.stop()
        for thread in alive:
            thread.join(_LONGEST_FAREWELL)
            if thread.is_alive():
                self.log.warning("the thread %r of the kernel does not end", thread.name)
                return
        super().close()


class KernelLoop:
    """The loop as a kernel sees it: to stop it ends the kernel, and not the loop."""

    def __init__(self, io_loop: Any, stop: Callable[[], None]) -> None:
        self._io_loop = io_loop
        self.stop = stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._io_loop, name)


class Steps:
    """Awaits a coroutine and runs each of its steps in a fresh context manager.

    Between two steps other code runs, which must not see what the manager does.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: Callable[[], contextlib.AbstractContextManager[object]],
    ) -> None:
        self._coroutine = coroutine
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        step, argument = self._coroutine.send, None
        while True:
            try:
                with self._context():
                    awaited = step(argument)
            except StopIteration as end:
                return end.value
            try:
                step, argument = self._coroutine.send, (yield awaited)
            except BaseException as error:
                step, argument = self._coroutine.throw, error
