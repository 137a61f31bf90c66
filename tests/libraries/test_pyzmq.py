from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import zmq

from tests.libraries.server import free_port

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender


def test_a_mesh_arrives_from_another_program(blender: Blender) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    blender.run("pyzmq", MESHES_ADDRESS=address)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3]], np.int32)
    with zmq.Context() as context, context.socket(zmq.REQ) as program:
        program.linger = 0
        program.rcvtimeo = 30_000
        program.connect(address)
        for count in (3, 1, 2):
            program.send_multipart([b"Hull", corners.data, faces[:count].data])
            assert program.recv_json() == {"faces": count}

    hull = "bpy.data.objects['Hull'].data"
    seen = f"[list(vertex.co) for vertex in {hull}.vertices]"
    assert blender.evaluate(seen) == corners.tolist()
    assert blender.evaluate(f"len({hull}.polygons)") == 2
    blender.stop()
