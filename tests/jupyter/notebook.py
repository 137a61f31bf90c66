"""A notebook without a page: starts a kernel as Jupyter does, and runs cells in it."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 60.0
"""Seconds that anything may take on a busy machine."""


@dataclass
class Answer:
    """What came of a cell."""

    status: str
    """`ok` or `error`, as the reply says."""
    text: dict[str, str] = field(default_factory=dict)
    """What it wrote, by stream."""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """What it showed, by media type: its result, and what it displayed."""
    error: str = ""
    """The name of the exception that ended it."""
    message: str = ""
    """What the exception says."""

    @property
    def result(self) -> str:
        """The text of the last thing that was shown."""
        return str(self.shown[-1]["text/plain"])


class Notebook:
    """A running kernel and a client of it."""

    def __init__(self, kernel: str, **options: Any) -> None:
        file = Path(jupyter_runtime_dir()) / f"kernel-{uuid.uuid4()}.json"
        self.manager = KernelManager(
            kernel_name=kernel,
            connection_file=str(file),
            # How it ends by itself is what counts: by default Jupyter ends it after five seconds.
            shutdown_wait_time=PATIENCE,
            **options,
        )
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    @classmethod
    @contextmanager
    def opened(cls, kernel: str, **options: Any) -> Iterator[Self]:
        """Start a kernel by its name, and have it shut down at the end."""
        notebook = cls(kernel, **options)
        try:
            yield notebook
        finally:
            notebook.close()

    @property
    def process(self) -> Any:
        """The kernel's process."""
        return self.manager.provisioner.process

    def begin(self, cell: str) -> str:
        """Send a cell; return the name of the request."""
        return str(self.client.execute(cell))

    def run(self, cell: str) -> Answer:
        """Run a cell to its end."""
        return self.finish(self.begin(cell))

    def value(self, cell: str) -> str:
        """Run a cell that must not fail, and return its result as text."""
        answer = self.run(cell)
        assert answer.status == "ok", answer
        return answer.result

    def wait_for_text(self, request: str) -> str:
        """Wait until the cell has printed something, and return that."""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "stream":
                return str(message["content"]["text"])

    def finish(self, request: str) -> Answer:
        """Wait for the cell's end."""
        reply = self._reply(request)
        answer = Answer(reply["content"]["status"])
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    answer.text[content["name"]] = (
                        answer.text.get(content["name"], "") + content["text"]
                    )
                case "execute_result" | "display_data":
                    answer.shown.append(content["data"])
                case "error":
                    answer.error, answer.message = content["ename"], content["evalue"]
                case "status" if content["execution_state"] == "idle":
                    return answer

    def interrupt(self) -> None:
        """Press the button with the square; return when the kernel has done what it can."""
        assert self.ask_control("interrupt_request")["content"]["status"] == "ok"

    def ask_control(self, request: str) -> dict[str, Any]:
        """Ask on the channel that a busy kernel listens to, too."""
        message = self.client.session.msg(request, {})
        self.client.control_channel.send(message)
        reply: dict[str, Any] = self.client.get_control_msg(timeout=PATIENCE)
        assert reply["parent_header"]["msg_id"] == message["header"]["msg_id"]
        return reply

    def restart(self) -> None:
        """Press the button with the arrow."""
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=PATIENCE)

    def close(self) -> None:
        """Shut the kernel down, as when the notebook is closed."""
        self.client.stop_channels()
        self.manager.shutdown_kernel()
        self.manager.cleanup_resources()

    def _reply(self, request: str) -> dict[str, Any]:
        while True:
            reply: dict[str, Any] = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                return reply
