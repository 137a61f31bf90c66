from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import nats

from tests.libraries.peers import nats as nats_server

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_blender_answers_where_an_object_is_at_a_frame(blender: Blender, peers: Peers) -> None:
    answers = asyncio.run(ask(blender, peers.address(nats_server)))

    here = blender.evaluate("list(bpy.data.objects['Camera'].matrix_world.translation)")
    assert answers == [here, None]
    assert blender.evaluate("bpy.data.scenes[0].frame_current") == 12
    blender.stop()


async def ask(blender: Blender, url: str) -> list[Any]:
    """Ask Blender, once it is ready, from a program with asyncio's own loop."""
    async with await nats.connect(url) as client:
        ready = await client.subscribe("blender.ready")
        await client.flush()
        blender.run("nats", NATS_URL=url)
        await ready.next_msg(timeout=30)
        questions = [{"object": "Camera", "frame": 5}, {"object": "Nobody", "frame": 12}]
        return [
            json.loads((await client.request("blender.position", text.encode(), 30)).data)
            for text in map(json.dumps, questions)
        ]
