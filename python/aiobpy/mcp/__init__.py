"""What clients of the Model Context Protocol know beside tools: resources, prompts, questions.

Every method that is offered with `@aiobpy.rpc` is a tool already. A tool that returns a text, an
`aiobpy.Image` or what is in here answers with that; anything else becomes structured content.
"""

from aiobpy.mcp.content import Audio, Embedded, Link, Message
from aiobpy.mcp.offering import prompt, resource, updated
from aiobpy.mcp.questions import ask, can_ask, elicit, log, sample

__all__ = [
    "Audio",
    "Embedded",
    "Link",
    "Message",
    "ask",
    "can_ask",
    "elicit",
    "log",
    "prompt",
    "resource",
    "sample",
    "updated",
]
