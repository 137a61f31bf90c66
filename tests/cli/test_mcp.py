"""`aiobpy mcp`, for clients of the Model Context Protocol that start a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Json = Any

SERVER = """\
import asyncio, sys
import aiobpy, aiobpy.server

@aiobpy.rpc(name="cup.fill")
async def fill(height: float) -> str:
    "Fill the cup."
    aiobpy.set_progress(0.5, "filling")
    return f"It is {height} full."

async def main():
    aiobpy.server.start(loop=asyncio.get_running_loop())
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    aiobpy.server.stop()

aiobpy.EventLoop().run_until_complete(main())
"""


class Talk:
    """A program that speaks the protocol on its standard input and output."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.program = subprocess.Popen(
            [sys.executable, "-m", "aiobpy", "mcp"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, method: str, params: Json = None, number: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if number is not None:
            message["id"] = number
        assert self.program.stdin is not None
        self.program.stdin.write(json.dumps(message) + "\n")
        self.program.stdin.flush()

    def hear(self) -> Json:
        assert self.program.stdout is not None
        return json.loads(self.program.stdout.readline())

    def end(self) -> None:
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.close()
        assert self.program.wait(30) == 0
        self.program.stdout.close()


def test_a_client_talks_to_the_blender_that_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    talk = Talk(environment)
    talk.say("ping", number=1)
    assert "no Blender with a web server runs" in talk.hear()["error"]["message"]
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        of_client = {"protocolVersion": "2025-11-25", "capabilities": {}}
        talk.say("initialize", of_client, 2)
        assert talk.hear()["result"]["protocolVersion"] == "2025-11-25"
        talk.say("notifications/initialized")
        talk.say("tools/list", number=3)
        assert [tool["name"] for tool in talk.hear()["result"]["tools"]] == ["cup.fill"]
        meta = {"progressToken": "p"}
        talk.say("tools/call", {"name": "cup.fill", "arguments": {"height": 1}, "_meta": meta}, 4)
        assert talk.hear()["params"]["progress"] == 0.5
        answer = talk.hear()
        assert (answer["id"], answer["result"]["content"][0]["text"]) == (4, "It is 1.0 full.")
        modern = {
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        }
        talk.say("server/discover", modern, 5)
        assert talk.hear()["result"]["supportedVersions"] == ["2026-07-28"]
        talk.end()
        server.communicate(timeout=30)
