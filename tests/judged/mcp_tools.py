"""What the conformance suite of the Model Context Protocol asks servers to have."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Literal

import aiobpy
from aiobpy import mcp

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
SOUND = base64.b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=")
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@aiobpy.rpc(description="Take what a rich schema describes.", params=SCHEMA)
def json_schema_2020_12_tool(
    name: str = "",
    address: dict[str, Any] | None = None,
    contactMethod: str = "",
    phone: str = "",
    email: str = "",
) -> dict[str, Any]:
    return {"name": name, "address": address, "by": contactMethod, "phone": phone, "email": email}


@aiobpy.rpc
def test_simple_text() -> str:
    """Answer with a text."""
    return "This is a simple text response for testing."


@aiobpy.rpc
def test_image_content() -> aiobpy.Image:
    """Answer with a picture."""
    return aiobpy.Image(PIXEL)


@aiobpy.rpc
def test_audio_content() -> mcp.Audio:
    """Answer with a sound."""
    return mcp.Audio(SOUND, "audio/wav")


@aiobpy.rpc
def test_embedded_resource() -> mcp.Embedded:
    """Answer with a resource."""
    text = "This is an embedded resource content."
    return mcp.Embedded("test://embedded-resource", text, "text/plain")


@aiobpy.rpc
def test_multiple_content_types() -> Any:
    """Answer with several things."""
    text = '{"test":"data","value":123}'
    embedded = mcp.Embedded("test://mixed-content-resource", text, "application/json")
    return ["Multiple content types test:", aiobpy.Image(PIXEL), embedded]


@aiobpy.rpc
async def test_tool_with_logging() -> str:
    """Log while it runs."""
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"]:
        mcp.log(text)
        await asyncio.sleep(0)
    return "It has logged."


@aiobpy.rpc
def test_logging_tool() -> str:
    """Log, if the client wants that."""
    mcp.log("logged")
    return "It has logged."


@aiobpy.rpc
def test_error_handling() -> str:
    """Fail."""
    raise aiobpy.Problem("This tool intentionally returns an error for testing")


@aiobpy.rpc
async def test_tool_with_progress() -> str:
    """Say how far it has come."""
    for fraction in [0.0, 0.5, 1.0]:
        aiobpy.set_progress(fraction)
        await asyncio.sleep(0)
    return "It is done."


@aiobpy.rpc
async def test_sampling(prompt: str) -> str:
    """Ask the client's model."""
    return f"LLM response: {await mcp.sample('answer', prompt, max_tokens=100)}"


@aiobpy.rpc
async def test_missing_capability() -> str:
    """Ask a client that cannot be asked."""
    return await mcp.sample("answer", "Hello")


@aiobpy.rpc
async def test_elicitation(message: str) -> str:
    """Ask the client's person."""
    answer = await mcp.elicit("user", message, texts("username", "email"))
    return f"User response: {json.dumps(answer)}"


@aiobpy.rpc
async def test_streaming_elicitation() -> str:
    """Ask, where nothing may be asked on the stream."""
    aiobpy.set_progress(0.5)
    answer = await mcp.elicit("user", "Who are you?", texts("name"))
    return json.dumps(answer)


@aiobpy.rpc
async def test_elicitation_sep1034_defaults() -> str:
    """Ask with defaults."""
    status = {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"}
    form = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": status,
            "verified": {"type": "boolean", "default": True},
        },
        "required": [],
    }
    return completed(await mcp.elicit("form", "Please fill it in", form))


@aiobpy.rpc
async def test_elicitation_sep1330_enums() -> str:
    """Ask with all kinds of choices."""
    plain = {"type": "string", "enum": ["option1", "option2", "option3"]}
    titled = [
        {"const": f"value{number}", "title": f"{ordinal} Option"}
        for number, ordinal in enumerate(["First", "Second", "Third"], 1)
    ]
    names = ["Option One", "Option Two", "Option Three"]
    form = {
        "type": "object",
        "properties": {
            "untitledSingle": plain,
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names},
            "untitledMulti": {"type": "array", "items": plain},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        },
        "required": [],
    }
    return completed(await mcp.elicit("form", "Please choose", form))


@aiobpy.rpc
async def test_input_required_result_elicitation() -> str:
    """Greet by name."""
    answer = await mcp.elicit("user_name", "What is your name?", texts("name"))
    return f"Hello, {answer['content']['name']}!"


@aiobpy.rpc
async def test_input_required_result_sampling() -> str:
    """Know capitals."""
    return await mcp.sample("capital_question", "What is the capital of France?", max_tokens=100)


@aiobpy.rpc
async def test_input_required_result_list_roots() -> str:
    """List the client's roots."""
    answers = await mcp.ask({"client_roots": ("roots/list", {})})
    return json.dumps(answers["client_roots"])


@aiobpy.rpc
async def test_input_required_result_request_state() -> str:
    """Have it confirmed."""
    await mcp.elicit("confirm", "Please confirm", flag("ok"))
    return "state-ok"


@aiobpy.rpc
async def test_input_required_result_tampered_state() -> str:
    """Have it confirmed, too."""
    await mcp.elicit("confirm", "Please confirm", flag("ok"))
    return "state-ok"


@aiobpy.rpc
async def test_input_required_result_multiple_inputs() -> str:
    """Ask three things at once."""
    content = {"type": "text", "text": "Generate a greeting"}
    messages = [{"role": "user", "content": content}]
    form = {"mode": "form", "message": "What is your name?", "requestedSchema": texts("name")}
    answers = await mcp.ask(
        {
            "user_name": ("elicitation/create", form),
            "greeting": ("sampling/createMessage", {"messages": messages, "maxTokens": 50}),
            "client_roots": ("roots/list", {}),
        }
    )
    return json.dumps(answers)


@aiobpy.rpc
async def test_input_required_result_multi_round() -> str:
    """Ask one thing after the other."""
    name = await mcp.elicit("step1", "Step 1: What is your name?", texts("name"))
    colour = await mcp.elicit("step2", "Step 2: What is your favorite color?", texts("color"))
    return json.dumps([name, colour])


@aiobpy.rpc
async def test_input_required_result_capabilities() -> str:
    """Ask what the client can be asked."""
    if mcp.can_ask("sampling"):
        return await mcp.sample("answer", "Hello")
    return json.dumps(await mcp.elicit("answer", "Hello", texts("name")))


@aiobpy.rpc
def test_trigger_tool_change() -> str:
    """Change what tools there are."""

    @aiobpy.rpc(name="test_changed_tool")
    def changed() -> str:
        """Nothing."""
        return ""

    return "There is another tool."


@aiobpy.rpc
def test_trigger_prompt_change() -> str:
    """Change what prompts there are."""

    @mcp.prompt(name="test_changed_prompt")
    def changed() -> str:
        """Nothing."""
        return ""

    return "There is another prompt."


@mcp.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@mcp.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return PIXEL


@mcp.resource("test://watched-resource", mime_type="text/plain")
def watched_resource() -> str:
    """A text that changes."""
    return "watched"


@mcp.resource("test://template/{id}/data", mime_type="application/json")
def of_template(id: str) -> str:  # noqa: A002 - the suite names it so
    """Data of an id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@mcp.prompt()
def test_simple_prompt() -> str:
    """Say something simple."""
    return "This is a simple prompt for testing."


@mcp.prompt()
def test_prompt_with_arguments(arg1: Literal["paris", "park", "party"], arg2: str) -> str:
    """Say what it was given.

    Args:
        arg1: The first.
        arg2: The second.
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@mcp.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[mcp.Message]:
    """Have a resource processed.

    Args:
        resourceUri: Names it.
    """
    embedded = mcp.Embedded(resourceUri, "Embedded resource content for testing.", "text/plain")
    return [mcp.Message(embedded), mcp.Message("Please process the embedded resource above.")]


@mcp.prompt()
def test_prompt_with_image() -> list[mcp.Message]:
    """Have a picture looked at."""
    return [mcp.Message(aiobpy.Image(PIXEL)), mcp.Message("Please analyze the image above.")]


@mcp.prompt()
async def test_input_required_result_prompt() -> str:
    """Ask for what it is about."""
    question = "What context should the prompt use?"
    answer = await mcp.elicit("user_context", question, texts("context"))
    return f"The context is {answer['content']['context']}."


def texts(*names: str) -> dict[str, Any]:
    """Return a form for texts."""
    properties = {name: {"type": "string", "description": name} for name in names}
    return {"type": "object", "properties": properties, "required": list(names)}


def flag(name: str) -> dict[str, Any]:
    """Return a form for one tick."""
    return {"type": "object", "properties": {name: {"type": "boolean"}}, "required": [name]}


def completed(answer: dict[str, Any]) -> str:
    """Return what was answered to a form."""
    content = json.dumps(answer.get("content", {}))
    return f"Elicitation completed: action={answer['action']}, content={content}"
