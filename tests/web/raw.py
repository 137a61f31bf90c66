"""Requests as bytes, for what a good client does not do."""

from __future__ import annotations

import asyncio
import base64

import aiobpy.server


class Raw:
    """A connection to the web server of this process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls) -> Raw:
        """Connect."""
        server = aiobpy.server.current()
        assert server is not None
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> None:
        """Send a request."""
        server = aiobpy.server.current()
        assert server is not None
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            f"Authorization: Bearer {server.token}",
            *headers,
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    def ask_for_websocket(self, path: str) -> None:
        """Send the opening handshake of a WebSocket."""
        key = base64.b64encode(bytes(16)).decode()
        self.ask(
            "GET",
            path,
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        )

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the headers of the answer."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers

    def frame(self, opcode: int, payload: bytes = b"") -> None:
        """Send a frame of a WebSocket, masked with zeros."""
        assert len(payload) < 126
        self.writer.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    async def cut(self) -> None:
        """Go without a word."""
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close it."""
        self.writer.close()
        await self.writer.wait_closed()
