"""Where a fleet is, and its token: given, or in the file that a running server keeps."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiobpy.fleet.errors import Unreachable


@dataclass(frozen=True)
class Address:
    """Where a server is, and its token."""

    url: str
    """As in `http://127.0.0.1:43210`; no path."""
    token: str

    @property
    def host(self) -> str:
        """A name or an address, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port; that of the scheme if none is told."""
        return urlsplit(self.url).port or (443 if self.is_secure else 80)

    @property
    def is_secure(self) -> bool:
        """Whether it is spoken to by TLS."""
        return urlsplit(self.url).scheme == "https"

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


def given(url: str, token: str | None) -> Address:
    """Return a server that the user names.

    Args:
        url: As in `http://127.0.0.1:8787` or `https://farm.example:8787`.
        token: What it wants to see; that of the environment variable AIOBPY_TOKEN if left out.

    Raises:
        ValueError: The address cannot be used, or there is no token.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        msg = f"{url!r} is no address of a server; write it as in 'http://127.0.0.1:8787'"
        raise ValueError(msg)
    token = token or os.environ.get("AIOBPY_TOKEN")
    if not token:
        msg = f"the server at {url} wants a token: give token=, or set AIOBPY_TOKEN"
        raise ValueError(msg)
    return Address(f"{parts.scheme}://{parts.netloc}", token)


def discovered() -> Address:
    """Return the fleet that this user started last on this computer.

    Raises:
        Unreachable: None is running.
    """
    folder = _folder()
    files = [] if folder is None else sorted(folder.glob("*.json"), key=_age, reverse=True)
    for path in files:
        found = _read(path)
        if found is not None:
            return found
    msg = (
        "no fleet of this user is running; start one with `aiobpy serve --templates PATH`, or name"
        " one: connect('http://…', token='…')"
    )
    raise Unreachable(msg)


def _folder() -> Path | None:
    """The folder of `crates/server/src/discovery.rs`."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return Path(base) / "aiobpy" / "servers" if base else None
    told = os.environ.get("XDG_CONFIG_HOME")
    home = os.environ.get("HOME")
    if not told and not home:
        return None
    return (Path(told) if told else Path(home or "") / ".config") / "aiobpy" / "servers"


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path) -> Address | None:
    try:
        told = json.loads(path.read_bytes())
        if told.get("takes_jobs") and _is_alive(int(told["pid"])):
            return Address(told["address"], told["token"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _is_alive(pid: int) -> bool:
    """Whether a process runs. On Windows its server is asked instead: it answers or does not."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
