"""The examples do what their pages say, in a real Blender (the `bpy` module)."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def in_blender(program: str, *arguments: str) -> Any:
    """Run a program in a process of its own that has `bpy`, and return the JSON it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


HELLO = """
    import asyncio, json, sys
    import bpy
    import aiobpy, aiobpy.server
    sys.path.insert(0, sys.argv[1])
    import hello_addon

    async def clock(reader, writer):
        writer.write(b"12:00 sharp\\n")
        writer.close()

    async def ask_by_http(server, port):
        body = json.dumps({"host": "127.0.0.1", "port": port})
        host, own_port = server.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(own_port))
        writer.write(
            f"POST /api/v1/rpc/hello.time HTTP/1.1\\r\\nHost: {host}:{own_port}\\r\\n"
            f"Authorization: Bearer {server.token}\\r\\nContent-Type: application/json\\r\\n"
            f"Content-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n{body}".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    async def main():
        clocks = await asyncio.start_server(clock, "127.0.0.1", 0)
        port = clocks.sockets[0].getsockname()[1]
        server = aiobpy.server.start()
        try:
            return await ask_by_http(server, port)
        finally:
            aiobpy.server.stop()
            clocks.close()

    hello_addon.register()
    has_operator = hasattr(bpy.types, "HELLO_OT_time")
    answer = aiobpy.run(main())
    hello_addon.unregister()
    texts = [text.as_string() for text in bpy.data.texts]
    print(json.dumps({"has_operator": has_operator, "answer": answer, "texts": texts}))
"""


def test_the_hello_addon_awaits_the_network_and_answers_programs() -> None:
    got = in_blender(HELLO, str(EXAMPLES / "hello_addon"))
    assert got["has_operator"]
    assert got["answer"].startswith("HTTP/1.1 200")
    assert "12:00 sharp" in got["answer"]
    assert got["texts"] == ["12:00 sharp\n"]


def test_the_readme_shows_the_hello_addon_as_it_is() -> None:
    source = (EXAMPLES / "hello_addon" / "hello_addon.py").read_text()
    assert source in (ROOT / "README.md").read_text()
    assert len([line for line in source.splitlines() if line]) == 15


CONFIGURE = """
    import json, sys
    from pathlib import Path
    import bpy
    from aiobpy import templates
    bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
    mug = templates.load(Path(sys.argv[2]))
    chosen = {"colour": "#1f6f78", "text": "Ada", "camera": "top", "finish": "gloss"}
    mug.function(**mug.arguments(chosen))
    depsgraph = bpy.context.evaluated_depsgraph_get()
    engraving = bpy.data.objects["Engraved text"].evaluated_get(depsgraph)
    coat = bpy.data.materials["Coat"].node_tree.nodes["Principled BSDF"]
    with_text = len(engraving.to_mesh().polygons)
    mug.function(**mug.arguments({"text": ""}))
    engraving = engraving.original.evaluated_get(bpy.context.evaluated_depsgraph_get())
    print(json.dumps({
        "parameters": list(mug.params_schema["properties"]),
        "undescribed": [
            name
            for name, schema in mug.params_schema["properties"].items()
            if "description" not in schema or "default" not in schema
        ],
        "faces_with_text": with_text,
        "faces_without": len(engraving.to_mesh().polygons),
        "camera": bpy.context.scene.camera.name,
        "red": coat.inputs["Base Color"].default_value[0],
        "bytes": Path(sys.argv[1]).stat().st_size,
    }))
"""


def test_the_product_is_built_from_nothing_and_its_template_configures_it(tmp_path: Path) -> None:
    scene = tmp_path / "product.blend"
    folder = EXAMPLES / "product_configurator"
    subprocess.run([sys.executable, folder / "build_scene.py", scene], check=True, timeout=100)
    got = in_blender(CONFIGURE, str(scene), str(folder / "product.py"))
    assert {"colour", "finish", "text", "lid", "camera"} <= set(got["parameters"])
    assert got["undescribed"] == []
    assert got["faces_with_text"] > 100
    assert got["faces_without"] == 0
    assert got["camera"] == "hero", "what the job before chose is gone"
    assert got["red"] == pytest.approx(0.638, abs=0.001)
    assert got["bytes"] < 2_000_000


PREVIEW = """
    import json, sys
    import bpy
    from pathlib import Path
    from aiobpy import templates
    bpy.ops.wm.read_factory_settings(use_empty=True)
    preview = templates.load(Path(sys.argv[1]))
    said = []
    for request in json.loads(sys.argv[2]):
        try:
            preview.function(**preview.arguments(request))
            said.append("camera at " + bpy.context.scene.camera.name)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    print(json.dumps(said))
"""


def test_previews_draw_what_ships_with_blender_and_say_when_there_is_nothing_to_draw() -> None:
    nodes = "datafiles/assets/nodes/geometry_nodes_essentials.blend"
    hair = "datafiles/assets/nodes/procedural_hair_node_assets.blend"
    brushes = "datafiles/assets/brushes/essentials_brushes-mesh_sculpt.blend"
    requests = [
        {"file": brushes},
        {"file": brushes, "kind": "brush", "name": "Twist"},
        {"file": nodes, "kind": "node_group", "name": "Scatter on Surface"},
        {"file": hair, "kind": "node_group", "name": "Curl Hair Curves"},
        {"file": "datafiles/studiolights/matcap/clay_brown.exr", "kind": "matcap"},
        {"file": nodes},
        {"file": nodes, "kind": "node_group", "name": "Edge Length"},
        {"file": "scripts/startup/bl_app_templates_system/VFX/startup.blend"},
        {"file": "../../../../etc/passwd"},
        {"file": "datafiles/none.blend"},
    ]
    program = str(EXAMPLES / "previews" / "preview.py")
    said = in_blender(PREVIEW, program, json.dumps(requests))
    assert said[:5] == ["camera at Camera"] * 5
    assert "nothing of kind 'object' to draw; it holds" in said[5]
    assert "makes values, not geometry" in said[6]
    assert "none of the objects can be seen in a render: Camera (camera)" in said[7]
    assert "leads out of Blender's folder" in said[8]
    assert "there is no 'datafiles/none.blend' in this Blender" in said[9]


ENCODE = """
    import json, subprocess, sys
    import bpy
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.cycles.samples = 1
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.frame_end = 5
    cube = bpy.data.objects["Cube"]
    for frame, x in ((1, -2), (5, 2)):
        cube.location.x = x
        cube.keyframe_insert("location", frame=frame)
    bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
    print(json.dumps(None))
"""


def test_an_animation_is_encoded_as_it_is_rendered(tmp_path: Path) -> None:
    scene, clip = tmp_path / "scene.blend", tmp_path / "clip.mp4"
    in_blender(ENCODE, str(scene))
    program = EXAMPLES / "encode_video" / "encode.py"
    done = subprocess.run(
        [sys.executable, program, scene, clip], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 frames are encoded" in done.stdout
    entries = ("-show_entries", "stream=width,height,nb_read_frames", "-of", "csv=p=0")
    probe = ["ffprobe", "-v", "error", "-count_frames", *entries, str(clip)]
    found = subprocess.run(probe, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "64,36,5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "scene.blend"]
