"""What tools answer and prompts say: blocks of content, and results made of them.

Source: <https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result>
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final, Literal

from aiobpy.image import Image
from aiobpy.json_text import dumps


class Block:
    """A piece of content that the protocol has a type for."""

    def block(self) -> dict[str, Any]:
        """Return how the protocol has it."""
        raise NotImplementedError


class Audio(Block):
    """A sound, as the bytes of a file.

    Args:
        data: They.
        mime_type: What they are, as in `audio/wav`.
    """

    def __init__(self, data: bytes, mime_type: str = "audio/wav") -> None:
        self.data = data
        self.mime_type = mime_type

    def block(self) -> dict[str, Any]:
        data = base64.b64encode(self.data).decode()
        return {"type": "audio", "data": data, "mimeType": self.mime_type}


class Embedded(Block):
    """A resource with what it holds.

    Args:
        uri: Names it.
        content: A text, or bytes.
        mime_type: What it is; plain text or any bytes if left out.
    """

    def __init__(self, uri: str, content: str | bytes, mime_type: str | None = None) -> None:
        self.uri = uri
        self.content = content
        self.mime_type = mime_type

    def block(self) -> dict[str, Any]:
        held = contents(self.uri, self.content, self.mime_type)
        return {"type": "resource", "resource": held}


class Link(Block):
    """A resource that the client may read by itself.

    Args:
        uri: Names it.
        name: What a person calls it.
        mime_type: What it is, if that is known.
    """

    def __init__(self, uri: str, name: str, mime_type: str | None = None) -> None:
        self.uri = uri
        self.name = name
        self.mime_type = mime_type

    def block(self) -> dict[str, Any]:
        link = {"type": "resource_link", "uri": self.uri, "name": self.name}
        return link if self.mime_type is None else {**link, "mimeType": self.mime_type}


class Message:
    """One message of a prompt.

    Args:
        content: A text, an `aiobpy.Image`, or what is in here.
        role: Who says it.
    """

    def __init__(self, content: Any, role: Literal["user", "assistant"] = "user") -> None:
        self.content = content
        self.role = role

    def to_json(self) -> dict[str, Any]:
        """Return how the protocol has it."""
        content = block_of(self.content)
        if content is None:
            content = {"type": "text", "text": dumps(self.content)}
        return {"role": self.role, "content": content}


def block_of(value: Any) -> dict[str, Any] | None:
    """Return a value as a block; None if it is no content."""
    if isinstance(value, str):
        return {"type": "text", "text": value}
    if isinstance(value, Image):
        return {"type": "image", "data": value.to_json(), "mimeType": value.content_type}
    return value.block() if isinstance(value, Block) else None


def tool_result(value: Any) -> dict[str, Any]:
    """Return what a tool answers with.

    Content is sent as it is. Anything else is sent as a text of JSON and as structured content,
    which is an object: what is none becomes its member `result`. The server describes it so, too.

    Raises:
        TypeError: JSON can say nothing of it.
        ValueError: It has a number that is none, or contains itself.
    """
    if value is None:
        return {"content": []}
    values = value if isinstance(value, list | tuple) else [value]
    blocks = [block_of(part) for part in values]
    # A list of texts is a list of texts.
    is_list_of_texts = values is value and all(isinstance(part, str) for part in values)
    if values and all(blocks) and not is_list_of_texts:
        return {"content": blocks}
    text = dumps(value)
    plain = json.loads(text)
    structured = plain if isinstance(plain, dict) else {"result": plain}
    return {"content": [{"type": "text", "text": text}], "structuredContent": structured}


def contents(uri: str, content: str | bytes, mime_type: str | None) -> dict[str, Any]:
    """Return a resource with what it holds."""
    if isinstance(content, bytes):
        data = base64.b64encode(content).decode()
        return {"uri": uri, "mimeType": mime_type or _BYTES, "blob": data}
    return {"uri": uri, "mimeType": mime_type or _TEXT, "text": content}


_BYTES: Final = "application/octet-stream"
_TEXT: Final = "text/plain"
