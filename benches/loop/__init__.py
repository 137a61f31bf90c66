"""The event loop against stock asyncio, uvloop and rloop, interleaved in one run.

As a guest of a busy host, alone, and call by call; each cell is a process of its own.
"""
