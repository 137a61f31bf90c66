from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from tests.libraries.server import free_port

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender


def test_poses_go_from_the_tracker_through_blender_to_every_browser(blender: Blender) -> None:
    followers: Queue[ServerConnection] = Queue()

    def track(follower: ServerConnection) -> None:
        followers.put(follower)
        # Until the follower goes; what it says is of no interest.
        assert list(follower) == []

    poses = [{"object": "Cube", "rotation": [0, 0, turn / 8]} for turn in range(64)]
    port = free_port()
    with ThreadPoolExecutor() as threads, serve(track, "127.0.0.1", 0) as tracker:
        threads.submit(tracker.serve_forever)
        address = tracker.socket.getsockname()
        blender.run("websockets", POSES_PORT=port, TRACKER_URL=f"ws://127.0.0.1:{address[1]}")
        blender.wait_until_it_listens(port)
        with connect(f"ws://127.0.0.1:{port}") as one, connect(f"ws://127.0.0.1:{port}") as other:
            assert "Cube" in json.loads(one.recv(30))
            assert "Cube" in json.loads(other.recv(30))
            follower = followers.get(timeout=30)
            for pose in poses[:32]:
                follower.send(json.dumps(pose))
            assert received(one, 32) == poses[:32]
            follower.close()
            follower = followers.get(timeout=30)
            for pose in poses[32:]:
                follower.send(json.dumps(pose))
            assert received(one, 32) == poses[32:]
            assert received(other, 64) == poses
        assert blender.evaluate("bpy.data.objects['Cube'].rotation_euler.z") == 63 / 8
        blender.stop()
        tracker.shutdown()


def received(browser: ClientConnection, number: int) -> list[Any]:
    """Return the next messages that a browser receives."""
    return [json.loads(browser.recv(30)) for _ in range(number)]
