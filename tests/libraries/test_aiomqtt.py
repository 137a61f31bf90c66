from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiomqtt

from tests.libraries.peers import mosquitto

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_sensors_scale_the_objects_with_their_names(blender: Blender, peers: Peers) -> None:
    broker = peers.address(mosquitto)

    shown = asyncio.run(measure(blender, broker))

    assert shown == {"blender/shown/Cube": 2.5}
    assert blender.evaluate("bpy.data.objects['Cube'].scale.z") == 2.5
    blender.stop()


async def measure(blender: Blender, broker: str) -> dict[str, float]:
    """Publish what sensors measure; return what Blender says that it shows."""
    host, port = broker.split(":")
    async with aiomqtt.Client(host, int(port)) as client, asyncio.timeout(60):
        await client.subscribe("blender/#")
        await client.publish("sensors/Nobody", 1, retain=True)
        await client.publish("sensors/Cube", 2.5, retain=True)
        blender.run("aiomqtt", MQTT_BROKER=broker)
        shown = {}
        async for message in client.messages:
            if message.topic.matches("blender/shown/#"):
                shown[str(message.topic)] = float(message.payload)
                return shown
    return {}
