"""What the system knows of a process: its threads, its sockets, the ports on which it listens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final


class ProcessFacts:
    """What the system knows of a process.

    Args:
        pid: Its number.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def thread_names(self) -> list[str]:
        """Return the names of its threads, as the system knows them."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/comm")
        return sorted(task.read_text().strip() for task in tasks)

    def open_things(self) -> list[str]:
        """Return the sockets, event counters and pipes that it holds, by kind."""
        kinds = []
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(descriptor)
            except FileNotFoundError:
                continue
            if target.startswith(("socket:", "pipe:", "anon_inode:")):
                kinds.append(target.partition(":[")[0])
        return sorted(kinds)

    def listening_ports(self) -> list[int]:
        """Return the TCP ports on which it listens."""
        inodes = set()
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(descriptor)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
        ports = []
        for table in ("tcp", "tcp6"):
            for row in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTEN and fields[9] in inodes:
                    ports.append(int(fields[1].rpartition(":")[2], 16))
        return sorted(ports)


_LISTEN: Final = "0A"
"""The state of a listening socket in `/proc/net/tcp`."""
