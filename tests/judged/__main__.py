"""A web server with something of each kind, for judges to try.

With `mcp_tools` or `methods` as its argument, it offers what is in that module besides.

Prints one line of JSON, with where it is and its token, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
from pathlib import Path

import aiobpy
import aiobpy.server
from tests.judged import certificates, relay, served


async def main() -> None:
    """Serve, say where, and wait for the end of the input."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, aiobpy.EventLoop)
    for name in sys.argv[1:]:
        importlib.import_module(f"tests.judged.{name}")
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        served.hang_up(files)
        server = aiobpy.server.start(loop=loop)
        relaying = await relay.start(server.port, server.token)
        certified = server.open_secure("127.0.0.1", 0, *certificates.make(Path(folder)))
        assert certified.address is not None
        (shared,) = aiobpy.server.share(addresses=["127.0.0.2"])
        said = {
            "address": server.address,
            "token": server.token,
            "shared": shared.removeprefix("https://"),
            "certified": f"127.0.0.1:{certified.address[1]}",
            "relay": f"http://127.0.0.1:{relaying.sockets[0].getsockname()[1]}",
        }
        print(json.dumps(said), flush=True)
        try:
            await loop.run_in_executor(None, sys.stdin.read)
        finally:
            relaying.close()
            aiobpy.server.stop()


aiobpy.run(main())
