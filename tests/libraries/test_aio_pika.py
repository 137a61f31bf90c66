from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aio_pika

from tests.libraries.peers import rabbitmq

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_a_message_changes_the_settings_of_the_render(blender: Blender, peers: Peers) -> None:
    url = peers.address(rabbitmq)
    assert asyncio.run(send(url, [b"this is not JSON"])) == []
    blender.run("aio-pika", RABBITMQ_URL=url)
    settings = {"resolution_x": 640, "resolution_y": 360, "film_transparent": True, "speed": 11}
    more = {"resolution_x": 320}
    bodies = [json.dumps(body).encode() for body in (settings, more)]

    assert asyncio.run(send(url, bodies)) == [{"speed": 11}, {}]

    render = "bpy.data.scenes[0].render"
    seen = f"[{render}.resolution_x, {render}.resolution_y, {render}.film_transparent]"
    assert blender.evaluate(seen) == [320, 360, True]
    blender.stop()


async def send(url: str, bodies: list[bytes]) -> list[Any]:
    """Send messages to Blender, from a program with asyncio's own loop; return the answers."""
    async with await aio_pika.connect(url) as connection, asyncio.timeout(60):
        channel = await connection.channel()
        await channel.declare_queue("render-settings", durable=True)
        answers = await channel.declare_queue(exclusive=True)
        valid = 0
        for body in bodies:
            message = aio_pika.Message(body, reply_to=answers.name)
            await channel.default_exchange.publish(message, "render-settings")
            valid += body.startswith(b"{")
        async with answers.iterator() as received:
            return [json.loads((await anext(received)).body) for _ in range(valid)]
