"""A Python server that is measured, in a process of its own: prints its port.

python -m benches.web.serve NAME FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

from benches.web.applications import HELLO, application

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN: Final = "0123456789abcdef0123456789abcdef"


def main(name: str, folder: str) -> None:
    """Serve until it is killed."""
    SERVERS[name](folder)


def aiobpy(folder: str, connections: int | None = None) -> None:
    """Ours, standing alone."""
    import aiobpy as ours
    import aiobpy.server
    from aiobpy import web

    site = web.site("bench")
    site.static("/files", folder)
    site.mount("/asgi", application)

    @site.get("/typed")
    def typed() -> dict[str, bool]:
        return {"ok": True}

    @site.get("/hold")
    def hold(seconds: float) -> dict[str, bool]:
        _hold(seconds)
        return {"ok": True}

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ours.EventLoop)
        server = aiobpy.server.start(token=TOKEN, loop=loop, connections=connections)
        print(server.port, flush=True)
        await loop.create_future()

    with asyncio.Runner(loop_factory=ours.EventLoop) as runner:
        runner.run(serve())


def aiobpy_wide(folder: str) -> None:
    """Ours, for thousands of clients."""
    aiobpy(folder, connections=40_000)


def aiohttp(folder: str) -> None:
    """aiohttp on asyncio's own loop."""
    _aiohttp(folder)


def aiohttp_uvloop(folder: str) -> None:
    """aiohttp on uvloop."""
    import uvloop

    uvloop.install()
    _aiohttp(folder)


def uvicorn(_folder: str) -> None:
    """uvicorn with httptools and uvloop."""
    import socket

    import uvicorn
    import uvloop

    config = uvicorn.Config(application, log_level="warning", access_log=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        uvloop.run(uvicorn.Server(config).serve(sockets=[listening]))


def _granian(loop: str) -> None:
    import socket

    from granian import Granian
    from granian.constants import Interfaces, Loops

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Granian(
        "benches.web.applications:application",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops(loop),
        log_enabled=False,
    )
    # It listens a little later.
    print(port, flush=True)
    server.serve()


def granian(_folder: str) -> None:
    """granian on asyncio's own loop."""
    _granian("asyncio")


def granian_uvloop(_folder: str) -> None:
    """granian on uvloop."""
    _granian("uvloop")


def _aiohttp(folder: str) -> None:
    from aiohttp import web

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(body=HELLO, content_type="application/json")

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/echo", echo)
    app.router.add_static("/files", folder)

    async def serve() -> None:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.get_running_loop().create_future()

    asyncio.run(serve())


def _hold(seconds: float) -> None:
    """Hold the interpreter's lock, as an operator of Blender does."""
    import ctypes

    usleep: Any = ctypes.PyDLL(None).usleep
    for _ in range(round(seconds * 10)):
        usleep(100_000)


SERVERS: Final[dict[str, Callable[[str], None]]] = {
    "aiobpy": aiobpy,
    "aiobpy_wide": aiobpy_wide,
    "aiohttp": aiohttp,
    "aiohttp_uvloop": aiohttp_uvloop,
    "granian": granian,
    "granian_uvloop": granian_uvloop,
    "uvicorn": uvicorn,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
