"""Tests of the Jupyter kernel inside Blender."""
