"""Server-sent events, as the HTML standard has them ("Interpreting an event stream")."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiobpy.fleet.connections import Response


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    id: str | None
    name: str
    data: str


class EventReader:
    """Reads one stream of events.

    Args:
        response: The answer whose body it is.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self.retry: float | None = None
        """After how many seconds the server wants to be asked again when the stream breaks."""

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield the events up to the stream's end."""
        fields: dict[str, list[str]] = {}
        async for line in self._lines():
            if not line:
                if "data" in fields:
                    yield _message(fields)
                fields = {}
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "retry" and value.isascii() and value.isdigit():
                self.retry = int(value) / 1000
            elif name:
                fields.setdefault(name, []).append(value)

    async def _lines(self) -> AsyncIterator[str]:
        """Yield complete lines; ours end with a line feed alone."""
        rest = b""
        async for piece in self._response.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.removesuffix(b"\r").decode()


def _message(fields: dict[str, list[str]]) -> Message:
    last = {name: values[-1] for name, values in fields.items()}
    return Message(last.get("id"), last.get("event", "message"), "\n".join(fields["data"]))


@dataclass(frozen=True)
class Event:
    """Something that happened to a job or a worker.

    What each type has besides is in `data`, as the API documents it.
    """

    type: str
    """As in `job.queued`, `job.started`, `job.progressed`, `job.preview`, `job.requeued`,
    `job.finished`, `job.failed`, `job.cancelled`, `worker.ready`."""
    sequence: int
    """Its place in the order of things; of `job.preview`, that of the event before it."""
    at: str
    """When, as in RFC 3339."""
    data: dict[str, Any]

    @classmethod
    def read(cls, message: Message) -> Event:
        """Return what the data of a message says."""
        data: dict[str, Any] = json.loads(message.data)
        return cls(
            str(data.get("type", message.name)),
            int(data.get("sequence", 0)),
            str(data.get("at", "")),
            data,
        )

    @property
    def progress(self) -> float | None:
        """From 0 to 1, of `job.progressed`; 1 of `job.finished`."""
        if self.type == "job.finished":
            return 1.0
        told = self.data.get("progress")
        return None if told is None else float(told)

    @property
    def message(self) -> str:
        """What Blender was doing, in its own words; empty if it did not say."""
        return str(self.data.get("message") or "")

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the job."""
        return self.type in ("job.finished", "job.failed", "job.cancelled")
