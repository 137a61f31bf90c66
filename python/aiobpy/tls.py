"""TLS over `ssl.SSLContext`: asyncio's own protocol, with the data path in Rust."""

from __future__ import annotations

from asyncio import sslproto
from typing import Any

from aiobpy import _native

_FLUSHING = sslproto.SSLProtocolState.FLUSHING
_SHUTDOWN = sslproto.SSLProtocolState.SHUTDOWN


class TlsProtocol(_native.TlsCore, sslproto.SSLProtocol):
    """What stands between a stream transport and an application's protocol.

    OpenSSL is reached as asyncio reaches it, through the `ssl.SSLObject` that the context makes.
    """

    max_size = 0
    """No buffer of its own, as asyncio would make one: those of the loop serve all connections."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        # Its own would check what is checked here too, and wrap each piece in a tuple.
        self._app_transport.write = self._write_one

    def connection_lost(self, error: BaseException | None) -> None:
        """Let go of everything, and be let go of by a transport that the application keeps."""
        if self._app_transport is not None:
            vars(self._app_transport).pop("write", None)
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """Keep the transport open until all that was written has been encrypted."""
        if self._state is not _FLUSHING:
            keep_open = super().eof_received()
            return keep_open or self._state is _FLUSHING
        self._eof_received = True
        try:
            self._do_flush()
        except Exception:
            self._transport.close()
            raise
        return self._state is _FLUSHING

    def _do_flush(self) -> None:
        # asyncio's encrypts what is written at once; ours only what the transport has room for.
        self._do_read()
        if self._state is _FLUSHING and not self._write_backlog:
            self._set_state(_SHUTDOWN)
            self._do_shutdown()
