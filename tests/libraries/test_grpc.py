from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from tests.libraries.server import free_port

if TYPE_CHECKING:
    from tests.libraries.blenders import Blender


def test_objects_move_as_positions_stream_in(blender: Blender) -> None:
    port = free_port()
    blender.run("grpc", STAGE_PORT=port)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        move = channel.stream_unary(
            "/blender.Stage/Move",
            request_serializer=Struct.SerializeToString,
            response_deserializer=Struct.FromString,
        )
        path = [position("Light", x) for x in range(50)]
        answer = move(iter(path), timeout=30, wait_for_ready=True)
        assert answer["moves"] == 50
        with pytest.raises(grpc.RpcError) as unknown:
            move(iter([position("Nobody", 0)]), timeout=30)

    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    assert "Nobody" in unknown.value.details()
    assert blender.evaluate("list(bpy.data.objects['Light'].location)") == [49, 0, 1]
    blender.stop()


def position(name: str, x: float) -> Struct:
    """Return where an object is to go."""
    message = Struct()
    message.update({"object": name, "location": [x, 0, 1]})
    return message
