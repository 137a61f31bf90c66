"""A Blender with windows: its frame rate, its idle cost, and how soon a byte is there."""
