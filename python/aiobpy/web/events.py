"""Server-sent events of a site: encoded once, and sent by Rust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiobpy.json_text import dumps

if TYPE_CHECKING:
    from aiobpy._native import Feed


class Events:
    """What happens, for whoever listens. Made by `Site.events`.

    A client that was cut off comes back with the number of the last event that it has seen, and
    gets those after it that are still kept. Python hears nothing of clients.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def publish(self, name: str, data: Any = None) -> None:
        """Tell all who listen. May be called in any thread.

        Args:
            name: What has happened: `addEventListener(name, …)` of a page hears it.
            data: What JSON can say, up to 64 KiB of it.

        Raises:
            ValueError: The name is none, or JSON cannot say the data.
            TypeError: JSON cannot say the data.
        """
        self._feed.publish(name, dumps(data))
