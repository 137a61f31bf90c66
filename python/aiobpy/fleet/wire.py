"""What an instance and the one who has started it have agreed on."""

from typing import Final

MARK: Final = "aiobpy-instance: "
"""Begins the one line that an instance says of itself, among what Blender prints."""
CALL: Final = "instance.call"
"""The method that calls a function of a module."""
QUIT: Final = "instance.quit"
"""The method that ends an instance."""
