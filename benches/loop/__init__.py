"""The event loop against stock asyncio, uvloop and rloop, interleaved in one run."""
