from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import zmq

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender


def test_objects_follow_a_publisher_where_aiozmq_still_runs(blender: Blender) -> None:
    context = zmq.Context()
    with context, context.socket(zmq.XPUB) as publisher:
        publisher.linger = 0
        publisher.rcvtimeo = 30_000
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        if blender.python() >= (3, 14):
            with pytest.raises(AssertionError, match="SafeChildWatcher"):
                blender.run("aiozmq", POSITIONS_ADDRESS=f"tcp://127.0.0.1:{port}")
            return
        blender.run("aiozmq", POSITIONS_ADDRESS=f"tcp://127.0.0.1:{port}")
        assert publisher.recv() == b"\x01", "Blender subscribes to everything"
        for step in range(100):
            publisher.send_multipart([b"Camera", b"[%d, 2, 3]" % step])
        publisher.send_multipart([b"end", b""])
        blender.finish()

    assert blender.evaluate("list(bpy.data.objects['Camera'].location)") == [99, 2, 3]
