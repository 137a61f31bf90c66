"""The methods of the guide, in each Blender without windows: by every face."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.host.program import run_in_bpy
from tests.libraries import guides

if TYPE_CHECKING:
    from pathlib import Path


def test_the_guides_methods_answer_by_every_face(tmp_path: Path, python: Path) -> None:
    (tmp_path / "cups.py").write_text(guides.code("rpc"))
    printed = run_in_bpy(
        '''
import json, sys
import aiobpy.server

async def ask(path, body=None, method="POST", **headers):
    """Return the body of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    content = b"" if body is None else json.dumps(body).encode()
    given = "".join(f"{name.replace('_', '-')}: {value}\\r\\n" for name, value in headers.items())
    writer.write((
        f"{method} {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{server.port}\\r\\nConnection: close\\r\\n"
        f"Authorization: Bearer {server.token}\\r\\nContent-Type: application/json\\r\\n{given}"
        f"Content-Length: {len(content)}\\r\\n\\r\\n"
    ).encode() + content)
    _, _, content = (await reader.read()).partition(b"\\r\\n\\r\\n")
    writer.close()
    return json.loads(content) if content[:1] in b'{["' else content.decode()

def call(method, params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

async def main():
    global server
    server = aiobpy.server.start(loop=asyncio.get_running_loop())
    sys.path.insert(0, os.environ["XDG_CONFIG_HOME"])
    import cups
    found = {}
    found["rest"] = await ask("/api/v1/rpc/cups.add", {"name": "Cup"})
    found["rpc"] = (await ask("/rpc", call("cups.find", ["Cup"])))["result"]
    found["unfit"] = (await ask("/api/v1/rpc/cups.add", {"name": "Cup", "height": 100}))["errors"]
    listed = await ask("/mcp", call("tools/list", {}))
    found["tools"] = [
        tool["name"] for tool in listed["result"]["tools"] if tool["name"].startswith("cups.")
    ]
    read = await ask("/mcp", call("resources/read", {"uri": "cups://Cup"}))
    found["resource"] = read["result"]["contents"][0]["text"]
    document = await ask("/openapi.json", method="GET")
    found["openapi"] = [path for path in document["paths"] if "cups" in path]
    operation = await ask("/api/v1/rpc/cups.clear", {})
    path = "/api/v1/operations/" + operation["id"]
    await ask(path + "/events", method="GET")
    found["cleared"] = (await ask(path, method="GET"))["result"]
    aiobpy.server.stop()
    print(json.dumps(found))

aiobpy.run(main())
leave()
''',
        python,
        XDG_CONFIG_HOME=str(tmp_path),
    )
    (found,) = (json.loads(line) for line in printed.splitlines() if line.startswith("{"))
    assert (found["rest"], found["rpc"]) == ("Cup", ["Cup"])
    assert found["unfit"][0]["pointer"] == "/height"
    names = ["cups.add", "cups.clear", "cups.find"]
    assert found["tools"] == names
    assert found["resource"] == "1.0 m"
    assert found["openapi"] == [f"/api/v1/rpc/{name}" for name in names]
    assert found["cleared"] == 1
