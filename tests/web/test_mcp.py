"""The Model Context Protocol, beside what its conformance suite tries: `cargo xtask judge mcp`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiobpy
from aiobpy import mcp, web
from aiobpy.rpc import registered, remove, rpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.web.conftest import Run

Json = Any

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(autouse=True)
def _offer_nothing_afterwards() -> Iterator[None]:
    yield
    for function in list(registered().values()):
        remove(function)


def asked(method: str, **params: Json) -> dict[str, Json]:
    """Return the arguments of a request of the revision 2026-07-28."""
    headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method}
    if (name := params.get("name")) is not None:
        headers["Mcp-Name"] = name
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    return {"json": body, "headers": headers}


async def told(client: aiohttp.ClientSession, method: str, **params: Json) -> Json:
    async with client.post("/mcp", **asked(method, **params)) as response:
        return await response.json()


def test_tools_are_those_that_the_client_may_call(run: Run) -> None:
    @rpc(name="cup.fill", title="Fill it", read_only=False)
    def fill(height: float) -> int:
        """Fill the cup."""
        return 7

    @rpc(name="cup.exec", scope="exec")
    def run_it() -> None: ...

    @rpc(name="cup.secret", tool=False)
    def secret() -> None: ...

    async def main(client: aiohttp.ClientSession) -> None:
        tools = (await told(client, "tools/list"))["result"]["tools"]
        (tool,) = [tool for tool in tools if tool["name"].startswith("cup.")]
        assert (tool["name"], tool["title"]) == ("cup.fill", "Fill it")
        assert tool["annotations"] == {"title": "Fill it", "readOnlyHint": False}
        assert tool["outputSchema"]["properties"] == {"result": {"type": "integer"}}
        answer = await told(client, "tools/call", name="cup.fill", arguments={"height": 1})
        assert answer["result"]["structuredContent"] == {"result": 7}
        assert answer["result"]["resultType"] == "complete"
        for name in ["cup.exec", "cup.secret", "cup.nothing"]:
            answer = await told(client, "tools/call", name=name)
            assert "error" in answer, name

    run(main)


def test_what_is_wrong_with_a_call_is_told_to_the_model(run: Run) -> None:
    @rpc(name="cup.fill")
    def fill(height: float) -> None:
        raise aiobpy.Problem("the cup is full", hint="empty it first")

    async def main(client: aiohttp.ClientSession) -> None:
        answer = await told(client, "tools/call", name="cup.fill", arguments={"height": "x"})
        assert answer["result"]["isError"]
        assert "/height" in answer["result"]["content"][0]["text"]
        answer = await told(client, "tools/call", name="cup.fill", arguments={"height": 1})
        text = answer["result"]["content"][0]["text"]
        assert text == "the cup is full\nhint: empty it first"

    run(main)


def test_the_end_of_the_stream_cancels_the_call(run: Run) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    @rpc(name="cup.bake")
    async def bake() -> None:
        mcp.log("baking", level="error")
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main(client: aiohttp.ClientSession) -> None:
        calling = asyncio.ensure_future(told(client, "tools/call", name="cup.bake"))
        await began.wait()
        calling.cancel()
        await asyncio.wait_for(ended.wait(), 10)

    run(main)


def test_a_question_is_asked_before_and_answered_after_the_call(run: Run) -> None:
    @rpc(name="cup.name")
    async def name() -> str:
        answer = await mcp.elicit("name", "What is it called?", {"type": "object"})
        return f"It is called {answer['content']['name']}."

    async def main(client: aiohttp.ClientSession) -> None:
        request = asked("tools/call", name="cup.name")
        capable = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        request["json"]["params"]["_meta"] = capable
        async with client.post("/mcp", **request) as response:
            result = (await response.json())["result"]
        assert result["resultType"] == "input_required"
        answer = {"action": "accept", "content": {"name": "Bob"}}
        request["json"]["params"]["inputResponses"] = {"name": answer}
        request["json"]["params"]["requestState"] = result["requestState"]
        async with client.post("/mcp", **request) as response:
            result = (await response.json())["result"]
        assert result["content"][0]["text"] == "It is called Bob."

    run(main)


def test_what_sites_answer_are_tools(run: Run) -> None:
    site = web.site("cups")

    @site.get("/cups/{name}", scope="read")
    def cup(name: str, limit: int = 5) -> dict[str, int]:
        """Tell of a cup."""
        return {name: limit}

    @site.post("/cups")
    def add(cup: dict[str, int]) -> web.Response:
        """Add cups."""
        return web.Response(cup, status=201)

    @site.delete("/cups/{name}", tool=False)
    def remove_it(name: str) -> None: ...

    async def main(client: aiohttp.ClientSession) -> None:
        tools = (await told(client, "tools/list"))["result"]["tools"]
        tools = [tool for tool in tools if tool["name"].startswith("cups.")]
        assert [tool["name"] for tool in tools] == ["cups.cup", "cups.add"]
        assert tools[0]["inputSchema"]["required"] == ["name"]
        arguments = {"name": "a/b", "limit": 7}
        answer = await told(client, "tools/call", name="cups.cup", arguments=arguments)
        assert answer["result"]["structuredContent"] == {"a/b": 7}
        answer = await told(client, "tools/call", name="cups.add", arguments={"body": {"x": 1}})
        assert answer["result"]["structuredContent"] == {"x": 1}
        answer = await told(
            client, "tools/call", name="cups.cup", arguments={"name": "x", "limit": "y"}
        )
        assert answer["result"]["isError"]
        answer = await told(client, "tools/call", name="cups.remove_it", arguments={"name": "x"})
        assert "error" in answer

    try:
        run(main)
    finally:
        site.close()
