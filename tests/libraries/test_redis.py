from __future__ import annotations

import json
from typing import TYPE_CHECKING

import redis

from tests.libraries.peers import redis as redis_server

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender
    from tests.libraries.peers import Peers


def test_orders_from_a_list_become_objects(blender: Blender, peers: Peers) -> None:
    url = peers.address(redis_server)
    blender.run("redis", REDIS_URL=url)
    with redis.from_url(url, decode_responses=True) as shop, shop.pubsub() as news:
        news.subscribe("placed")
        assert news.get_message(timeout=30)["type"] == "subscribe"
        for x in (3, 4):
            shop.rpush("orders", json.dumps({"shape": "Cube", "location": [x, 0, 0]}))
        names = [news.get_message(timeout=30)["data"] for _ in range(2)]

    assert names == ["Cube.001", "Cube.002"]
    placed = "[list(object.location) for object in bpy.data.objects if 'Cube.' in object.name]"
    assert blender.evaluate(placed) == [[3, 0, 0], [4, 0, 0]]
    blender.stop()
